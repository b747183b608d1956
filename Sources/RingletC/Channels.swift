import CRinglet
import Glibc
@_spi(C) import Ringlet

// Channels. What each function does is written in ringlet.h.

@c @implementation
public func ringlet_channel_create(
    _ capacity: Int, _ drop: (@convention(c) (UnsafeMutableRawPointer?) -> Void)!,
    _ channel: UnsafeMutablePointer<OpaquePointer?>!
) -> Int32 {
    // A size_t, which Swift sees as signed: no memory has that many places.
    unsafe make(channel) { unsafe CChannel(capacity: capacity < 0 ? .max : capacity, drop: drop) }
}

@c @implementation
public func ringlet_channel_send(
    _ channel: OpaquePointer!, _ item: UnsafeMutableRawPointer!, _ deadline: Int64
) -> Int32 {
    unsafe use(channel, as: CChannel.self) { $0.send(UInt(bitPattern: item), deadline: deadline) }
}

@c @implementation
public func ringlet_channel_try_send(
    _ channel: OpaquePointer!, _ item: UnsafeMutableRawPointer!
) -> Int32 {
    unsafe use(channel, as: CChannel.self) { $0.trySend(UInt(bitPattern: item)) }
}

@c @implementation
public func ringlet_channel_receive(
    _ channel: OpaquePointer!, _ item: UnsafeMutablePointer<UnsafeMutableRawPointer?>!,
    _ deadline: Int64
) -> Int32 {
    unsafe receive(from: channel, into: item) { $0.receive(&$1, deadline: deadline) }
}

@c @implementation
public func ringlet_channel_try_receive(
    _ channel: OpaquePointer!, _ item: UnsafeMutablePointer<UnsafeMutableRawPointer?>!
) -> Int32 {
    unsafe receive(from: channel, into: item) { $0.tryReceive(&$1) }
}

@inline(__always)
private func receive(
    from channel: OpaquePointer?, into place: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
    _ body: (CChannel, inout UInt) -> Int32
) -> Int32 {
    guard let place = unsafe place else { return -EINVAL }
    return unsafe use(channel, as: CChannel.self) { channel in
        var item: UInt = 0
        let status = body(channel, &item)
        if status == 0 { unsafe place.pointee = UnsafeMutableRawPointer(bitPattern: item) }
        return status
    }
}

@c @implementation
public func ringlet_channel_close(_ channel: OpaquePointer!) -> Int32 {
    unsafe use(channel, as: CChannel.self) { $0.close() }
}

@c @implementation
public func ringlet_channel_retain(_ channel: OpaquePointer!) -> Int32 {
    unsafe use(channel, as: CChannel.self) {
        if CCurrent.isForked { return CCurrent.forked }
        _ = unsafe Unmanaged.passRetained($0)
        return 0
    }
}

@c @implementation
public func ringlet_channel_release(_ channel: OpaquePointer!) {
    guard let channel = unsafe channel, !CCurrent.isForked else { return }
    _ = unsafe taken(channel, as: CChannel.self)
}
