/// A fiber that waits for one which has not begun gives its turn to it, and is given it back at the end: the two are then
/// as a call and its return. Of a tree of fibers that are spawned and joined, only one path is suspended at a time, and
/// not a whole level.
extension AnyFiber {
    /// The worker, whose thread this is, is about to queue the fiber.
    @inline(__always)
    func willBeQueued(on worker: Worker) {
        link = UInt(bitPattern: worker.ready.nextPlace)
    }

    /// The current fiber, which runs on `worker`, is about to park until the end of this one.
    @inline(__always)
    func isAwaited(on worker: Worker) {
        // The record is for its worker's thread alone.
        if self.worker === worker && record == nil { bringForward() }
    }

    @inline(never)
    private func bringForward() {
        // A simulation chooses the order.
        if worker.isSimulated { return }
        let place = Int(bitPattern: link)
        // Those that one fiber has spawned begin in the order in which it has.
        if let neighbour = worker.ready.neighbour(before: place), neighbour.kind == .newFiber,
            FiberHost.fiber(toBegin: neighbour).parentID == parentID
        {
            return
        }
        let address = UInt(bitPattern: unsafe Unmanaged.passUnretained(self).toOpaque())
        let runnable = Runnable(address: address, kind: .newFiber)
        if worker.ready.bringForward(runnable, from: place, in: worker.counters.turns) { wasBroughtForward = true }
    }

    /// Tells the end, after which the one that gave its turn goes on.
    func endBroughtForward() {
        let place = worker.ready.nextPlace
        end.complete()
        // Not when others were made ready, too: they have waited for as long.
        if worker.ready.nextPlace == place + 1 { worker.ready.bringLastForward() }
    }
}
