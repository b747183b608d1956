import Foundation
import Ringlet

func blockTheThread() {
    Thread.sleep(forTimeInterval: 0.3)
}

func showWatchdog() throws {
    var options = SchedulerOptions()
    options.watchdog = Watchdog(threshold: .milliseconds(100)) { report in
        print(report.fiber?.name ?? "no fiber", report.duration >= .milliseconds(100))
        print(report.backtrace.contains { $0.description.contains("blockTheThread") })
    }
    try Scheduler.run(options) {
        try Fiber(name: "hog") { blockTheThread() }.join()
    }
}

func showDebug() throws {
    var options = SchedulerOptions()
    options.debug = DebugMode(slowStep: .milliseconds(50)) { report in
        print(report.fiber?.name ?? "no fiber", report.duration >= .milliseconds(50))
    }
    try Scheduler.run(options) {
        try Fiber(name: "slow") { Thread.sleep(forTimeInterval: 0.08) }.join()
    }
}

func showPromises() throws {
    try Scheduler.run {
        do {
            try Fiber.withoutSuspension(.throw) { try Fiber.yield() }
        } catch SuspensionError.waited {
            print("waited")
        }
        do {
            try Fiber.withSuspension { _ = (1...1000).reduce(0, +) }
        } catch SuspensionError.didNotWait {
            print("did not wait")
        }
    }
}
