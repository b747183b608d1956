import Testing

/// ``WaitCell``, step by step: the worker begins a task's operation while the task is cancelled.
private struct CancellationModel: Model {
    enum Mutation: CaseIterable {
        case none
        /// The worker does not look whether its announcement came too late.
        case announcesBlindly
        /// The handler looks, and then writes, in two steps.
        case cancelsInTwoSteps
    }

    enum Cell { case empty, begun, cancelled }
    enum WorkerStep { case look, submit, announce, cancel, wait, ended }
    enum HandlerStep { case read, write, cancel, ended }

    let mutation: Mutation
    var cell = Cell.empty
    var worker = WorkerStep.look
    var handler: HandlerStep
    var handlerFound = Cell.empty
    var isInFlight = false
    var cancels = 0

    init(_ mutation: Mutation) {
        self.mutation = mutation
        handler = mutation == .cancelsInTwoSteps ? .read : .write
    }

    var threads: Int { 2 }
    var violation: String? { cancels > 1 ? "the operation is cancelled twice" : nil }
    /// The operation waits for something that never comes, so only a cancel ends it.
    var violationAtEnd: String? { worker == .ended ? nil : "the cancelled task waits for ever" }

    func steps(of thread: Int) -> [Self] {
        var next = self
        if thread == 1 {
            switch handler {
            case .read:
                next.handlerFound = cell
                next.handler = .write
            case .write:
                if mutation != .cancelsInTwoSteps { next.handlerFound = cell }
                next.cell = .cancelled
                next.handler = next.handlerFound == .begun ? .cancel : .ended
            case .cancel:
                next.cancels += 1
                next.handler = .ended
            case .ended: return []
            }
            return [next]
        }
        switch worker {
        case .look: next.worker = cell == .cancelled ? .ended : .submit
        case .submit:
            next.isInFlight = true
            next.worker = .announce
        case .announce:
            if cell == .empty || mutation == .announcesBlindly { next.cell = .begun }
            next.worker = cell == .empty || mutation == .announcesBlindly ? .wait : .cancel
        case .cancel:
            next.cancels += 1
            next.worker = .wait
        case .wait:
            if cancels == 0 { return [] }
            next.worker = .ended
        case .ended: return []
        }
        return [next]
    }
}

@Suite struct CancellationModelTests {
    @Test func `a cancelled task's operation is cancelled once, or never begins`() {
        #expect(explore(CancellationModel(.none)).violation == nil)
    }

    @Test(arguments: [CancellationModel.Mutation.announcesBlindly, .cancelsInTwoSteps])
    private func `without a part of the protocol the task waits for ever`(
        mutation: CancellationModel.Mutation
    ) {
        let found = explore(CancellationModel(mutation))
        #expect(found.violation?.hasPrefix("the cancelled task waits for ever") == true)
    }
}
