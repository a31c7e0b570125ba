import CMicrohttpd
import Synchronization

/// One request and its answer. libmicrohttpd holds it from the request line to the completion.
final class Exchange: Sendable {
  enum Phase: Sendable {
    /// The body is on its way.
    case reading
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
    /// Whether libmicrohttpd has called for the head.
    var hasBegun = false
    var body: [UInt8] = []
    var stream: StreamingBody?
  }

  // Sound: libmicrohttpd lets any thread resume a suspended connection; all else is done on its own thread.
  struct Connection: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  let connection: Connection
  let socket: Int32
  /// The request as the gate let it through, without its body.
  let admitted: Gate.Admitted
  let state = Mutex(State())

  init(connection: OpaquePointer, socket: Int32, admitted: Gate.Admitted) {
    self.connection = Connection(pointer: connection)
    self.socket = socket
    self.admitted = admitted
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

/// The part of a request before its body.
struct RequestHead: Sendable {
  let method: String
  let target: RequestTarget
  let headers: HTTPHeaders
  let remoteAddress: String

  /// Whether the client named a host of the network without a port. Over TLS the port is then 443.
  ///
  /// A browser that must use TLS with a host does so on every port of it. So the server demands that only where it has
  /// the port of the web, and is not one program of several.
  var isForUsualPort: Bool {
    guard let authority = target.authority ?? headers["Host"].flatMap({ Authority($0) }) else { return false }
    let isName = authority.host.contains(where: \.isLetter) && !authority.host.hasPrefix("[")
    return authority.port == nil && isName && authority.host != "localhost"
  }
}
