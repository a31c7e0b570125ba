import CMicrohttpd
import Foundation
import Synchronization

/// One request and its answer. libmicrohttpd holds it from the request line to the completion.
final class Exchange: Sendable {
  /// Where the request line lies in libmicrohttpd's buffer; good until the head has been read.
  // Sound: read only by libmicrohttpd's thread, during the first call of the access handler.
  struct Line: @unchecked Sendable {
    let start: UnsafePointer<CChar>
    let length: Int
  }

  enum Phase: Sendable {
    /// The head is on its way, or the body.
    case reading
    /// Refused; what still comes of it is thrown away.
    case refused
    /// The connection is suspended; a task works on the answer.
    case handling(Task<Void, Never>?)
    /// The answer is there; libmicrohttpd is to fetch it.
    case answered(HTTPServerResponse)
    /// Nothing more to do but to send.
    case sending
    case over
  }

  struct State: Sendable {
    var phase = Phase.reading
    var body: [UInt8] = []
    var head: RequestHead?
    var stream: StreamingBody?
  }

  // Sound: libmicrohttpd lets any thread resume a suspended connection; all else is done on its own thread.
  struct Connection: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  let connection: Connection
  let socket: Int32
  let line: Line
  let target: String
  /// Which of its connection it is, from 1.
  let number: Int
  let state = Mutex(State())

  init(connection: OpaquePointer, uri: UnsafePointer<CChar>, number: Int) {
    self.number = number
    self.connection = Connection(pointer: connection)
    socket = tracseq_mhd_socket(connection)
    target = String(decoding: UnsafeRawBufferPointer(start: uri, count: strlen(uri)), as: UTF8.self)
    line = Line(start: uri, length: strlen(uri))
  }

  /// Takes the answer, unless there is one already.
  /// - Returns: whether it was taken: then the connection must be resumed, exactly once.
  func answer(_ response: HTTPServerResponse) -> Bool {
    state.withLock { state in
      guard case .handling = state.phase else { return false }
      state.phase = .answered(response)
      return true
    }
  }
}

/// What a request said before its body.
struct RequestHead: Sendable {
  let method: String
  let target: RequestTarget
  let headers: HTTPHeaders
  let remoteAddress: String
}
