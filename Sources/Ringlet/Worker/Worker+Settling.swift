/// Operations that are over when the call that submits them returns, and whose success makes no
/// completion: they settle. The worker can sleep in that very call until something else happens.
///
/// What has failed by then has a completion like any other operation's. So when the call has returned,
/// all submissions were consumed and all completions harvested, whatever is left has succeeded.
extension Worker {
    /// Submits a request that settles with `result`. The ring must be able to skip successes.
    func startSettling(_ request: Request, result: Int32, waiter: Waiter) {
        let token = operations.insert(
            waiter: waiter, opcode: request.opcode, descriptor: request.descriptor)
        ring.submitSkippingSuccess(request, userData: token.userData, reserved: Ring.reserved)
        settling.append(SettlingOperation(token: token, result: result))
    }

    /// Somebody depends on an operation that settles: the next enter does not sleep. Any thread.
    func settleSoon() {
        perform { $0.mustSettle = true }
    }

    /// Completes the first `count` operations that settle, which were begun before the last enter.
    @inline(never)
    func settle(_ count: Int) {
        // Unharvested completions may be failures of these; then after a later turn's harvest.
        if ring.hasCompletions || ring.hasOverflow { return }
        // By index: what is completed may begin the next, which is appended.
        for index in 0..<count {
            let operation = settling[index]
            if operations.holds(operation.token) {
                complete(operation.token, result: operation.result)
            }
        }
        settling.removeFirst(count)
    }

    /// How many of the operations that settle were submitted. At the beginning of a turn.
    var submittedSettling: Int {
        if settling.isEmpty || ring.pending > 0 || ring.hasBacklog { return 0 }
        return settling.count
    }
}

struct SettlingOperation {
    let token: OperationToken
    let result: Int32
}
