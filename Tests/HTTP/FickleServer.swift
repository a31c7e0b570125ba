import Foundation
import Synchronization

/// Answers the first request of each connection, and closes the connection on reading a second.
final class FickleServer: Sendable {
  let port: Int
  private let listener: Int32
  private let read = Mutex<[String]>([])

  /// The request lines read, answered or not.
  var requestLines: [String] { read.withLock { $0 } }

  init() throws {
    #if os(Linux)
      let kind = Int32(SOCK_STREAM.rawValue)
    #else
      let kind = SOCK_STREAM
    #endif
    let descriptor = socket(AF_INET, kind, 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && listen(descriptor, 8) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    guard status else { throw POSIXError(.EADDRNOTAVAIL) }
    listener = descriptor
    port = Int(UInt16(bigEndian: address.sin_port))
    Thread { [self] in serve() }.start()
  }

  /// Ends the thread, which waits to accept.
  func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

  private func serve() {
    while true {
      let connection = accept(listener, nil, nil)
      guard connection >= 0 else { break }
      if takeRequest(on: connection) {
        let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".utf8)
        _ = answer.withUnsafeBytes { write(connection, $0.baseAddress, $0.count) }
        _ = takeRequest(on: connection)
      }
      close(connection)
    }
    close(listener)
  }

  private func takeRequest(on connection: Int32) -> Bool {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4_096)
    while bytes.firstRange(of: Array("\r\n\r\n".utf8)) == nil {
      let count = recv(connection, &chunk, chunk.count, 0)
      guard count > 0 else { return false }
      bytes += chunk[..<count]
    }
    let line = bytes.prefix { $0 != 0x0D }
    read.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
    return true
  }
}
