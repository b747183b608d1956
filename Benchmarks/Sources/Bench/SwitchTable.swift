internal import CReference
internal import CSubjects
internal import Measure

/// One-way switches.
func measureSwitch(_ plan: Plan) throws {
    let count: UInt64 = 2_000_000
    var table = Comparison("One-way switch", plan)
    table.add("bare: six registers, pop, jmp") {
        try sample(count: count, each: 2) { Int64(reference_bare_switch($0)) }
    }
    table.add("library: stacks alone", goal: .ratio(1.3)) {
        try sample(count: count, each: 2, subject_switch_bare)
    }
    table.add("with errno and C++ exceptions") {
        try sample(count: count, each: 2, subject_switch_plain)
    }
    table.add("and exclusivity, clean base", goal: .atMost(10)) {
        try sample(count: count, each: 2, subject_switch_from_clean_base)
    }
    table.add("and exclusivity, any base", goal: .atMost(10)) {
        try sample(count: count, each: 2, subject_switch_from_any_base)
    }
    try table.run()
}
