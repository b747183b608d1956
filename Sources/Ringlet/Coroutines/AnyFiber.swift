import CContext
import SystemPackage
import Synchronization

/// A fiber without its result: what every fiber can be asked, whatever it returns.
///
/// Fibers are made by ``Fiber``. All members may be used from any thread.
public class AnyFiber: @unchecked Sendable {
    // The intrusive link of the injection queue: the first stored property, at offset 16. Written by the
    // spawner, read by the worker, before the fiber has begun. A worker that spawns for itself keeps the place in its
    // run queue here.
    var link: UInt = 0

    // The second stored property, at offset 24, where Tools/gdb reads it; `parent` and `site` follow it.
    /// Unique in the process. Of fibers that are made on one worker, later ones have greater ids.
    public let id: UInt64

    /// 0 for none.
    private let parent: UInt64

    /// Where it was spawned.
    let site: PackedSite

    /// The name given at creation.
    let givenName: String?

    /// The worker whose thread runs the fiber, for ever.
    let worker: Worker

    /// Who waits for the end.
    let end = WaitQueue()

    /// Written by any thread, once; read by the host before the body starts.
    let cancelRequested = Atomic<Bool>(false)

    // Written before the fiber starts; read at its end.
    private var group: Group?
    private var placeInGroup: Int32 = 0

    // Without a lock around it, whose end costs a look into metadata for each fiber.
    /// Made by the first thread that needs it, once.
    let extras = AtomicLazyReference<FiberExtras>()

    /// Somebody has seen the failure, or it was reported. Any thread, by exchange.
    private let failureIsSeen = Atomic<Bool>(false)

    // The rest is the worker thread's.

    /// The name was changed before the beginning.
    var wasRenamed = false

    /// It was interrupted before the beginning.
    var wasInterrupted = false

    /// It began at once because another fiber waited for it.
    var wasBroughtForward = false

    /// The task that hosts the stack, from the start until the fiber begins; nil when it gets one as it begins. Written
    /// before the fiber is queued.
    var task: UnownedJob?

    /// The raw value of the priority of a task that the fiber gets as it begins. Written before the fiber is queued.
    var priorityOfTask: UInt8 = 0

    /// The record, from the beginning until the end of the stack.
    private(set) var record: FiberRef?

    /// Its own values of variables, once it uses one.
    var locals: LocalValues?

    /// The fiber's place in the queues of others. Kept, because a fiber waits for one thing after another.
    private var waitNode: WaitNode?

    /// Where a value of one word lies that the body has returned.
    private var smallValue: UInt = 0

    /// The same. Nothing accesses the property itself, so the address may be kept as long as the object.
    @inline(__always)
    final var smallRoom: UnsafeMutableRawPointer {
        unsafe withUnsafeMutablePointer(to: &smallValue) { UnsafeMutableRawPointer($0) }
    }

    /// Not retained: it lives as long as the fiber's object.
    @inline(__always)
    func waitNode(of fiber: FiberRef) -> Unmanaged<WaitNode> {
        if waitNode == nil { waitNode = WaitNode(of: fiber) }
        return unsafe Unmanaged.passUnretained(waitNode.unsafelyUnwrapped)
    }

    init(name: String?, worker: Worker, site: PackedSite = .none) {
        id = CurrentThread.nextFiberID()
        parent = FiberRef.current?.withOwner { $0.id } ?? 0
        self.site = site
        givenName = name
        self.worker = worker
    }

    /// The ``id`` of the fiber that spawned this one, which may have ended since; nil when a thread or a task did.
    public var parentID: UInt64? { parent == 0 ? nil : parent }

    /// The line that spawned the fiber; nil for functions of C, the main body, and what the library itself spawns for a
    /// call such as `FiberPool.map`.
    public var spawnSite: CallSite? { CallSite(site) }

    /// True once the fiber has ended: returned, thrown, or been cancelled before it began.
    public var isFinished: Bool { end.isComplete }

    /// True once ``cancel()`` was called.
    public var isCancelled: Bool { cancelRequested.load(ordering: .relaxed) }

    /// Requests cancellation. Returns at once; the fiber ends when its body does.
    ///
    /// A fiber that has not begun never runs its body. In one that has, the wait it is in ends with
    /// `CancellationError`, and so does every later one: cancellation is level-triggered.
    /// A wait whose result is already there still delivers it. Cancelling twice, or after
    /// the end, does nothing.
    ///
    /// - Returns: False when the fiber has ended already. (True is no promise that it ends by this.)
    @discardableResult
    public func cancel() -> Bool {
        if isFinished { return false }
        if cancelRequested.exchange(true, ordering: .acquiringAndReleasing) { return true }
        worker.perform { [self] worker in
            guard let record else { return }
            record.markCancelled()
            tellGroups()
            cutShort(record)
        }
        return true
    }

    /// The fiber that this code runs in, if it runs in one. Also that of the maker of a `Task.immediate`, until the first
    /// `await` there: it must not wait in that part.
    public static var current: AnyFiber? { FiberRef.current?.owner }

    // MARK: The subclass's part

    /// The stack that its code runs on. The worker's thread.
    var stackInUse: FiberRef? { record }

    /// Who shows up in a snapshot for this stack; nil for nobody. The worker's thread.
    var shown: AnyFiber? { self }

    /// Runs the body and keeps its outcome. Called on the fiber's own stack; must not throw through.
    func runBody() {
        fatalError("a fiber has a body")
    }

    /// Keeps an outcome of a fiber whose body does not run.
    func fail(_ error: any Error) {
        fatalError("a fiber has an outcome")
    }

    // MARK: The group

    /// Before the start.
    func joins(_ group: Group, at place: Int32) {
        self.group = group
        placeInGroup = place
    }

    // MARK: Failures that nobody sees

    /// The error that the body ended with. After the end.
    var failureOfBody: (any Error)? { nil }

    /// Somebody is given the failure.
    final func failureSeen() { failureIsSeen.store(true, ordering: .relaxed) }

    /// The body has failed. On the worker's thread.
    final func hasFailed(_ failure: any Error) {
        if worker.isShuttingDown, !(failure is CancellationError) { worker.shared.lateFailures.add(self) }
    }

    /// Tells the scheduler's handler of the failure, unless somebody has seen it. A cancelled fiber has not failed.
    @inline(never)
    final func reportFailure() {
        guard let failure = failureOfBody, !(failure is CancellationError), !Fork.isChild,
            !failureIsSeen.exchange(true, ordering: .relaxed)
        else { return }
        let source = spawnSite.map { "\(description), spawned at \($0)" } ?? description
        worker.shared.unseenErrors.report(UnseenError(error: failure, origin: .fiber, source: source))
    }

    // MARK: The host

    /// Starts the fiber. Any thread, once.
    func start(_ terms: StartTerms = StartTerms()) {
        if terms.locals == .empty { return startEmpty(terms) }
        FiberHost.start(self, priority: terms.priority, inherits: true)
    }

    /// Takes a stack. Nil when the body does not run; the fiber has ended then. Whoever calls this keeps the object
    /// alive until ``ended(_:)``: the record does not.
    func began() -> FiberRef? {
        if cancelRequested.load(ordering: .acquiring) || worker.isShuttingDown {
            hasEnded(with: worker.refusal == .fork ? SchedulerError.forkedChild : cancellationError)
            return nil
        }
        do throws(Errno) {
            let record = try worker.stacks.makeFiber(
                owner: self, worker: worker, name: wasRenamed ? name : givenName)
            worker.fiberStarted(record)
            self.record = record
            if wasInterrupted { record.updateCancellation() }
            return record
        } catch {
            hasEnded(with: error)
            return nil
        }
    }

    private func hasEnded(with error: any Error) {
        fail(error)
        announceEnd()
    }

    /// The stack has ended.
    func ended(_ record: FiberRef) {
        self.record = nil
        worker.fiberEnded(record)
        announceEnd()
    }

    private func announceEnd() {
        if wasBroughtForward { endBroughtForward() } else { end.complete() }
        if let group {
            // The group tells it, so it is seen.
            if failureOfBody != nil { failureSeen() }
            group.childEnded(placeInGroup, failureOfBody)
        }
        worker.fiberFinished()
    }
}

extension AnyFiber: WaitSource {
    func withdraw(_ node: WaitNode) -> Bool { end.withdraw(node) }

    func waitDescription(of node: WaitNode) -> WaitDescription {
        WaitDescription("the end of \(self)", .join, fibers: [id])
    }
}

extension AnyFiber: CustomStringConvertible {
    public var description: String {
        Self.label(id, name)
    }

    /// How a fiber is called, also one that is known by its figures alone.
    static func label(_ id: UInt64, _ name: String?) -> String {
        name.map { "fiber \(id) '\($0)'" } ?? "fiber \(id)"
    }
}
