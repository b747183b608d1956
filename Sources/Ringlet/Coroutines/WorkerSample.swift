import CContext

/// Where a worker's thread stands, as another thread sees it. The C half is in sample.c.
struct WorkerSample {
    /// The fiber whose stack runs.
    private(set) var fiber: FiberIdentity?
    private(set) var backtrace: [CoroutineFrame] = []

    private static let mostCalls = 128

    /// Takes milliseconds, for the names of functions. Any thread but the worker's; the worker must not have ended.
    init(of worker: Worker) {
        let sample = UnsafeMutablePointer<cctx_sample>.allocate(capacity: 1)
        defer { unsafe sample.deallocate() }
        let status = unsafe worker.anchor.sample(sample)
        if unsafe sample.pointee.fiber != 0 {
            let name = unsafe withUnsafeBytes(of: &sample.pointee.name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            let parent = unsafe sample.pointee.parent
            fiber = unsafe FiberIdentity(
                id: sample.pointee.fiber, name: name.isEmpty ? nil : name,
                parentID: parent == 0 ? nil : parent,
                spawnSite: CallSite(PackedSite(word: sample.pointee.site)))
        }
        if status < 0 { return }
        let addresses = unsafe [UInt](unsafeUninitializedCapacity: Self.mostCalls) { buffer, count in
            if let start = buffer.baseAddress {
                count = unsafe cctx_sample_addresses(sample, start, buffer.count)
            }
        }
        // The first one is no return address.
        backtrace = addresses.enumerated().map { CoroutineFrame(at: $1 + ($0 == 0 ? 1 : 0)) }
    }
}
