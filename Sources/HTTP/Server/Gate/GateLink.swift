import Values

/// One connection of a client, with what has come of it and what goes back.
final class GateLink {
  enum Phase {
    /// The head of a request is on its way, or nothing is.
    case head(RequestHeadParser)
    case body(BodyFraming)
    /// libmicrohttpd has the whole request; its answer is on its way.
    case answering
    /// The answer has left libmicrohttpd; what of it is on its way is still sent.
    case answered
    /// The last answer is there or on its way: what the client still sends is thrown away, because closing on it would
    /// reset the connection, and the client might never see the answer.
    case ending
  }

  let id: UInt64
  let client: Int32
  let peer: String
  let local: String
  /// Encrypts the connection; nil for one without TLS.
  var tls: TLSSession?
  /// This side of the pair of sockets behind which libmicrohttpd serves the connection; -1 without.
  var inner: Int32 = -1
  /// libmicrohttpd's side of the pair.
  var far: Int32 = -1
  var phase: Phase
  /// Bytes from the client that have not been checked through.
  var arrived: [UInt8] = []
  var toInner = OutBuffer()
  var toClient = OutBuffer()
  /// The number of requests that were let through.
  var requests = 0
  /// The method of the current request, once it is known.
  var method: String?
  /// The client sends nothing more.
  var hasEnded = false
  /// Bytes of the current body.
  var bodyBytes = 0
  /// Until when the client must have done what is expected of it: bring a request, or take an answer.
  var due: Timestamp?
  var clientInterest = Poller.Interest(read: true, write: false)
  var innerInterest = Poller.Interest(read: true, write: false)

  init(id: UInt64, client: Int32, peer: String, local: String, phase: Phase, tls: TLSSession?) {
    self.id = id
    self.client = client
    self.peer = peer
    self.local = local
    self.phase = phase
    self.tls = tls
  }

  /// Lets bytes go to the client, encrypted when the connection is.
  func send(_ bytes: ArraySlice<UInt8>) {
    if let tls { tls.send(bytes, output: &toClient) } else { toClient.append(bytes) }
  }

  /// Whether the link waits for a request of which nothing has come.
  var isIdle: Bool {
    guard case .head = phase else { return false }
    return arrived.isEmpty
  }
}
