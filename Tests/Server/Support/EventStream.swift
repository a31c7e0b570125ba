import Foundation
import JSON
import Synchronization

/// A client of the live stream on a plain socket: it can read as slowly as it likes, and hang up without a word.
final class EventStream: Sendable {
  struct Message: Sendable, Equatable {
    var event = ""
    var data = ""
    var id: String?
    var json: JSON { (try? JSON(parsing: Array(data.utf8))) ?? .null }
  }

  private let descriptor: Int32
  private let open = Open()
  /// The answer's head, then messages as they come.
  private let lines: AsyncStream<String>

  init(port: Int, target: String = "/v1/events", last: String? = nil, key: String? = nil) throws {
    #if os(Linux)
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #else
      let descriptor = socket(AF_INET, SOCK_STREAM, 0)
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
    self.descriptor = descriptor
    // HTTP/1.0, as its answer has no chunks to take apart.
    let lastID = last.map { "Last-Event-ID: \($0)\r\n" } ?? ""
    let bearer = key.map { "Authorization: Bearer \($0)\r\n" } ?? ""
    let request = Array("GET \(target) HTTP/1.0\r\nHost: localhost\r\n\(lastID)\(bearer)\r\n".utf8)
    _ = request.withUnsafeBytes { Foundation.send(descriptor, $0.baseAddress, $0.count, 0) }
    let (lines, lining) = AsyncStream.makeStream(of: String.self)
    self.lines = lines
    Thread { [open] in
      var rest: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 65_536)
      while case let count = recv(descriptor, &chunk, chunk.count, 0), count > 0 {
        rest += chunk[..<count]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
          lining.yield(String(decoding: rest[..<end].filter { $0 != 13 }, as: UTF8.self))
          rest.removeSubrange(...end)
        }
      }
      lining.finish()
      // Only who reads may close it: its number would be the next stream's, and that one's bytes be read here.
      open.withLock { isOpen in
        isOpen = false
        close(descriptor)
      }
    }.start()
  }

  deinit { hangUp() }

  /// The status line and what follows it up to the first message.
  func head() async -> [String] {
    var head: [String] = []
    for await line in lines {
      if line.isEmpty { break }
      head.append(line)
    }
    return head
  }

  /// The next message, comments left out; nil at the end. Call `head()` first.
  func next() async -> Message? {
    var message = Message()
    for await line in lines {
      if line.isEmpty {
        // An entry with an id alone moves the cursor. It is not a message.
        if message.event.isEmpty { return Message(id: message.id) }
        return message
      }
      if line.hasPrefix("event: ") { message.event = String(line.dropFirst(7)) }
      if line.hasPrefix("data: ") { message.data = String(line.dropFirst(6)) }
      if line.hasPrefix("id: ") { message.id = String(line.dropFirst(4)) }
    }
    return nil
  }

  /// Returns the next `count` messages about sagas; fewer when the stream ends.
  func sagas(_ count: Int) async -> [Message] {
    var found: [Message] = []
    while found.count < count, let message = await next() {
      if message.event == "saga" { found.append(message) }
    }
    return found
  }

  func hangUp() {
    open.withLock { isOpen in
      if isOpen { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
  }

  /// Whether the descriptor is still this stream's.
  private final class Open: Sendable {
    private let isOpen = Mutex(true)
    func withLock(_ body: (inout Bool) -> Void) { isOpen.withLock { body(&$0) } }
  }
}
