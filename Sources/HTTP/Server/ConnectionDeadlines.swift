import Foundation
import JSON
import Runtime

/// Until when each connection must have brought a whole request. libmicrohttpd has an idle timeout only, which one
/// byte a second outlives.
struct ConnectionDeadlines: Sendable {
  private struct Entry: Sendable {
    let socket: Int32
    /// nil while nothing is expected of the client.
    var due: Timestamp?
    var requests = 0
  }
  private var entries: [Int: Entry] = [:]

  mutating func open(_ connection: Exchange.Connection, socket: Int32, due: Timestamp) {
    entries[Self.key(connection)] = Entry(socket: socket, due: due)
  }

  /// - Returns: which request of its connection it is, from 1.
  mutating func requestBegan(_ connection: Exchange.Connection, due: Timestamp) -> Int {
    let key = Self.key(connection)
    guard var entry = entries[key] else { return 1 }
    entry.due = entry.due.map { min($0, due) } ?? due
    entry.requests += 1
    entries[key] = entry
    return entry.requests
  }

  mutating func set(_ connection: Exchange.Connection, due: Timestamp?) {
    entries[Self.key(connection)]?.due = due
  }

  /// Called before the socket is closed, so that no other connection can have its number yet.
  mutating func close(_ connection: Exchange.Connection) { entries[Self.key(connection)] = nil }

  /// Answers what is overdue and shuts its socket, on which libmicrohttpd then finds the end. None of the calls
  /// blocks.
  mutating func endOverdue(at now: Timestamp, saying answer: [UInt8]) {
    for (key, entry) in entries {
      guard let due = entry.due, due <= now else { continue }
      entries[key]?.due = nil
      RawAnswer.send(answer, to: entry.socket)
      shutdown(entry.socket, Int32(SHUT_RDWR))
    }
  }

  private static func key(_ connection: Exchange.Connection) -> Int { Int(bitPattern: connection.pointer) }
}

/// Answers written past libmicrohttpd, which takes none of ours before it has read a whole request without then
/// closing under the client's feet.
enum RawAnswer {
  /// Writes what fits into the socket's buffer: an answer of this size does, as nothing else is being written.
  static func send(_ bytes: [UInt8], to socket: Int32) {
    #if os(Linux)
      let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
    #else
      let flags = MSG_DONTWAIT
    #endif
    // A client that is gone needs no answer.
    _ = bytes.withUnsafeBytes { Foundation.send(socket, $0.baseAddress, $0.count, flags) }
  }
}

extension Problem {
  /// The whole answer as bytes, after which the connection is closed.
  func rawAnswer(withBody: Bool) -> [UInt8] {
    let body = json.bytes()
    var head = "HTTP/1.1 \(status) \(HTTPStatus.phrase(status))\r\n"
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    head += "Content-Type: application/problem+json\r\nContent-Length: \(body.count)\r\nConnection: close\r\n\r\n"
    return Array(head.utf8) + (withBody ? body : [])
  }
}
