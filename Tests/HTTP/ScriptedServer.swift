import Foundation
import Synchronization

/// A server that answers each request with the bytes that a script gives, also such as no server should send.
final class ScriptedServer: Sendable {
  /// The answer to a request.
  struct Answer: Sendable {
    var bytes: [UInt8]
    /// Whether the connection is closed behind it.
    var closes = false

    static func text(_ text: String, closes: Bool = false) -> Answer { Answer(bytes: Array(text.utf8), closes: closes) }
    static let ok = Answer.text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    /// The connection is closed without a byte.
    static let nothing = Answer(bytes: [], closes: true)
  }

  struct Request: Sendable, Equatable {
    /// The request line, such as `PUT /a HTTP/1.1`.
    let line: String
    /// Which connection it came over, from 1.
    let connection: Int
  }

  let port: Int
  private let listener: Int32
  private let script: @Sendable (Request) -> Answer
  private let read = Mutex<[Request]>([])

  /// The requests read, answered or not.
  var requests: [Request] { read.withLock { $0 } }

  init(_ script: @escaping @Sendable (Request) -> Answer) throws {
    #if os(Linux)
      let kind = Int32(SOCK_STREAM.rawValue)
    #else
      let kind = SOCK_STREAM
    #endif
    self.script = script
    let descriptor = socket(AF_INET, kind, 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && listen(descriptor, 64) == 0 && getsockname(descriptor, $0, &length) == 0
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
    var number = 0
    while true {
      let connection = accept(listener, nil, nil)
      guard connection >= 0 else { break }
      number += 1
      let own = number
      Thread { [self] in serve(connection, own) }.start()
    }
    close(listener)
  }

  private func serve(_ connection: Int32, _ number: Int) {
    defer { close(connection) }
    while let line = takeRequest(on: connection) {
      let request = Request(line: line, connection: number)
      read.withLock { $0.append(request) }
      let answer = script(request)
      var left = answer.bytes[...]
      while !left.isEmpty {
        #if os(Linux)
          let flags = Int32(MSG_NOSIGNAL)
        #else
          let flags: Int32 = 0
        #endif
        let count = left.withUnsafeBytes { send(connection, $0.baseAddress, $0.count, flags) }
        guard count > 0 else { return }
        left = left.dropFirst(count)
      }
      if answer.closes { return }
    }
  }

  /// Returns the request line once the head and the body have come; nil when the client is gone.
  private func takeRequest(on connection: Int32) -> String? {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        let lengths = head.split(separator: "\r\n").compactMap { line -> Int? in
          line.lowercased().hasPrefix("content-length:") ? Int(line.dropFirst(15).filter(\.isNumber)) : nil
        }
        if bytes.count - end.upperBound >= lengths.first ?? 0 {
          return head.split(separator: "\r\n").first.map(String.init)
        }
      }
      let count = recv(connection, &chunk, chunk.count, 0)
      guard count > 0 else { return nil }
      bytes += chunk[..<count]
    }
  }
}
