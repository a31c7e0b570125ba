import Foundation

/// A socket to a server on this machine, for what no well-behaved client sends.
final class RawConnection {
  private let descriptor: Int32

  init(port: Int) throws {
    #if os(Linux)
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #else
      descriptor = socket(AF_INET, SOCK_STREAM, 0)
    #endif
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else { throw POSIXError(.ECONNREFUSED) }
  }

  deinit { close(descriptor) }

  func send(_ text: String) { send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) {
    var left = bytes[...]
    while !left.isEmpty {
      #if os(Linux)
        let flags = Int32(MSG_NOSIGNAL)
      #else
        let flags: Int32 = 0
      #endif
      let count = left.withUnsafeBytes { Foundation.send(descriptor, $0.baseAddress, $0.count, flags) }
      guard count > 0 else { return }
      left = left.dropFirst(count)
    }
  }

  /// Returns the bytes that have arrived by now; nil when none has.
  func readNow() -> String? {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
    return count > 0 ? String(decoding: chunk[..<count], as: UTF8.self) : nil
  }

  /// Whether the server has closed the connection, and everything that it sent was read.
  var isClosed: Bool {
    var byte: UInt8 = 0
    let count = recv(descriptor, &byte, 1, Int32(MSG_DONTWAIT) | Int32(MSG_PEEK))
    return count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
  }

  /// Says that nothing more will be sent.
  func sendEnd() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Returns all bytes until the server ends the connection.
  func readAll() async -> String { await read(to: nil) }

  /// Reads until `text` has come, or the end. On a thread of its own, as it blocks. Compares bytes: to Swift's
  /// strings a CR LF is one character.
  func read(to text: String?) async -> String {
    let descriptor = descriptor
    let wanted = text.map { Array($0.utf8) }
    return await withCheckedContinuation { continuation in
      Thread {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while wanted.map({ bytes.firstRange(of: $0) == nil }) ?? true {
          let count = recv(descriptor, &chunk, chunk.count, 0)
          guard count > 0 else { break }
          bytes += chunk[..<count]
        }
        continuation.resume(returning: String(decoding: bytes, as: UTF8.self))
      }.start()
    }
  }
}
