// What the article "Introspection" shows: the code, and what it prints.
//
//     swift run IntrospectionExample [snapshot|graph|deadlock|watchdog|debug|promises|counters]

import Foundation
import Ringlet

let examples: [(name: String, run: () throws -> Void)] = [
    ("snapshot", showSnapshot), ("graph", showGraph), ("deadlock", showDeadlock),
    ("watchdog", showWatchdog), ("debug", showDebug), ("promises", showPromises),
    ("counters", showCounters),
]

let wanted = CommandLine.arguments.dropFirst()
for example in examples where wanted.isEmpty || wanted.contains(example.name) {
    print("--- \(example.name)")
    try example.run()
}
print("every example ran")
