import Ringlet

try Scheduler.run {
    let listener = try TCPListener(on: .loopback(port: 0))

    Fiber(name: "server") {
        let connection = try listener.accept()
        var buffer = Buffer(capacity: 1024)
        while try connection.read(into: &buffer) > 0 {
            try connection.write(buffer)
        }
    }

    let client = Fiber(name: "client") {
        let connection = try TCPConnection.connect(to: listener.address)
        try connection.write(Buffer(copying: "hello, ring".utf8))
        var answer = Buffer(capacity: 1024)
        try connection.read(into: &answer)
        return String(decoding: [UInt8](answer), as: UTF8.self)
    }

    print(try client.join())
}
