import CTLS

/// The server's side of TLS on one connection. It touches no socket: the gate brings what arrived, and sends what comes out.
final class TLSSession {
  enum Outcome {
    case open
    /// The client sends nothing more.
    case ended
    /// The client broke the protocol, or has no version of it in common with the server. What comes out tells it so.
    case failed
  }

  private let session: OpaquePointer
  /// The most bytes of a record of TLS.
  private static let roomBytes = 16 << 10
  /// Whether the client has sent anything.
  private(set) var hasBegun = false
  private var hasFailed = false

  /// - Returns: nil when there is no memory.
  init?(_ context: TLSContext) {
    guard let session = saga_tls_session(context.pointer) else { return nil }
    self.session = session
  }

  deinit { SSL_free(session) }

  /// Takes what the client sent. The handshake goes on by it too.
  /// - Parameters:
  ///   - bytes: as they arrived.
  ///   - content: gets the bytes that the client encrypted.
  ///   - output: gets what must be sent back.
  func receive(
    _ bytes: UnsafeRawBufferPointer, content: inout [UInt8], output: inout OutBuffer
  ) -> Outcome {
    hasBegun = true
    guard !hasFailed, saga_tls_feed(session, bytes.baseAddress, Int32(bytes.count)) == bytes.count else {
      hasFailed = true
      return .failed
    }
    defer { drain(into: &output) }
    return withUnsafeTemporaryAllocation(byteCount: Self.roomBytes, alignment: 1) { room in
      while true {
        let count = saga_tls_read(session, room.baseAddress, Int32(room.count))
        switch count {
        case 0: return .open
        case -1: return .ended
        case 1...: content.append(contentsOf: room[..<Int(count)])
        default:
          hasFailed = true
          return .failed
        }
      }
    }
  }

  /// Encrypts bytes for the client. Before the end of the handshake there is nothing that could be answered.
  func send(_ bytes: ArraySlice<UInt8>, output: inout OutBuffer) {
    guard !bytes.isEmpty, !hasFailed, saga_tls_is_open(session) == 1 else { return }
    let isWritten = bytes.withUnsafeBytes { saga_tls_write(session, $0.baseAddress, Int32($0.count)) == 1 }
    if !isWritten { hasFailed = true }
    drain(into: &output)
  }

  /// Tells the client that nothing more comes, so that it can tell an end from a cut.
  func end(output: inout OutBuffer) {
    guard !hasFailed, saga_tls_is_open(session) == 1 else { return }
    saga_tls_end(session)
    drain(into: &output)
  }

  private func drain(into output: inout OutBuffer) {
    withUnsafeTemporaryAllocation(byteCount: Self.roomBytes, alignment: 1) { room in
      while true {
        let count = saga_tls_take(session, room.baseAddress, Int32(room.count))
        guard count > 0 else { return }
        output.append(UnsafeRawBufferPointer(rebasing: room[..<Int(count)]))
      }
    }
  }

  /// Whether the first byte of a connection begins a request without TLS: a method is of capital letters, and a
  /// handshake begins with 22.
  static func isPlainText(_ first: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first) }
}
