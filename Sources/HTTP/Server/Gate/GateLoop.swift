import Foundation
import Runtime
import Values

/// The thread of a gate. It alone touches the clients' sockets.
final class GateLoop {
  private static let listenerToken: UInt64 = 0
  private static let wakeToken: UInt64 = 1
  /// How long a client may still send after its last answer.
  private static let endingTime = Duration.seconds(5)
  /// Rounds of a tenth of a second in which nothing moves, after which a stopping gate no longer waits.
  private static let stoppingRounds = 20
  /// Bytes of a body that don't count against the limit for all bodies, so that small requests always pass.
  static let freeBodyBytes = 16 << 10

  private let gate: Gate
  private let configuration: HTTPServerConfiguration
  private let wake: Int32
  private let connect: @Sendable (Int32) -> Bool
  private let listensEverywhere: Bool
  private var listener: Int32
  private var poller: Poller
  private var links: [UInt64: GateLink] = [:]
  private var lastID: UInt64 = 0
  /// The number of connections of each address.
  private var addresses: [String: Int] = [:]
  private var isAccepting = true
  private var isStopping = false
  /// Bytes of bodies in flight beyond what is free.
  private var heldBytes = 0
  private var room = [UInt8](repeating: 0, count: 64 << 10)

  init?(_ gate: Gate, listener: Int32, wake: Int32, connect: @escaping @Sendable (Int32) -> Bool) {
    guard let poller = Poller(),
      poller.add(listener, token: Self.listenerToken, .init(read: true, write: false)),
      poller.add(wake, token: Self.wakeToken, .init(read: true, write: false))
    else { return nil }
    self.gate = gate
    configuration = gate.configuration
    self.listener = listener
    self.wake = wake
    self.connect = connect
    listensEverywhere = ["0.0.0.0", "::", "[::]"].contains(configuration.host)
    self.poller = consume poller
  }

  func run() {
    var quietRounds = 0
    while true {
      let events = poller.wait(milliseconds: isStopping ? 100 : -1)
      for event in events { handle(event) }
      readInbox()
      guard isStopping else { continue }
      for link in links.values where link.inner < 0 && link.toClient.isEmpty { close(link) }
      quietRounds = events.isEmpty ? quietRounds + 1 : 0
      if links.isEmpty || quietRounds == Self.stoppingRounds { break }
    }
    for link in links.values { close(link) }
    stopListening()
  }

  private func handle(_ event: Poller.Event) {
    switch event.token {
    case Self.listenerToken: accept()
    case Self.wakeToken: while case .bytes = receive(wake) {}
    default:
      guard let link = links[event.token >> 1] else { return }
      if event.token & 1 == 0 {
        // Both directions have ended: no answer would arrive.
        if event.hasEnded { return close(link) }
        if event.canWrite { sendToClient(link) }
        if event.canRead, links[link.id] != nil { readClient(link) }
      } else {
        if event.canWrite { sendToInner(link) }
        if event.canRead || event.hasEnded, links[link.id] != nil { readInner(link, all: event.hasEnded) }
      }
      if links[link.id] != nil { setInterest(link) }
    }
  }

  private func readInbox() {
    let inbox = gate.readInbox()
    if inbox.isDraining { stopListening() }
    for id in inbox.completed {
      guard let link = links[id] else { continue }
      completed(link)
      if links[id] != nil { setInterest(link) }
    }
    if let now = inbox.sweepAt { sweep(now) }
    if inbox.isStopping { isStopping = true }
  }

  private func receive(_ socket: Int32) -> Socket.Outcome {
    room.withUnsafeMutableBytes { Socket.receive(socket, into: $0) }
  }

  private var now: Timestamp { gate.environment.now() }

  // MARK: Accepting

  private func accept() {
    // Bounded, so that a flood of connections does not keep those that are there waiting.
    for _ in 0..<64 {
      guard links.count < configuration.maxConnections else { return accept(false) }
      var storage = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let (client, peer) = withUnsafeMutablePointer(to: &storage) { storage in
        storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
          let client = Foundation.accept(listener, address, &length)
          return (client, client < 0 ? "" : ListeningSocket.host(of: address))
        }
      }
      guard client >= 0 else {
        // No descriptors or no memory: others must end first. A connection that is gone already is none.
        if [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno) { accept(false) }
        return
      }
      guard Socket.setUp(client) else {
        Foundation.close(client)
        continue
      }
      Socket.sendAtOnce(client)
      admit(client, peer: peer)
    }
  }

  /// Takes connections, or lets them wait in the listen queue.
  private func accept(_ accepts: Bool) {
    guard accepts != isAccepting, listener >= 0 else { return }
    isAccepting = accepts
    poller.change(listener, token: Self.listenerToken, .init(read: accepts, write: false))
  }

  private func admit(_ client: Int32, peer: String) {
    guard addresses[peer, default: 0] < configuration.maxConnectionsPerAddress else {
      let problem = Problem(
        429, HTTPErrorCode.tooManyConnections,
        detail: "\(peer) has \(configuration.maxConnectionsPerAddress) connections open, which is the limit.",
        headers: ["Retry-After": "1"])
      // Over TLS nothing can be said before the handshake, and a handshake is what the limit is to spare.
      if configuration.certificate == nil {
        _ = problem.rawAnswer(withBody: true).withUnsafeBytes { Socket.send(client, $0) }
      }
      Foundation.close(client)
      return
    }
    let tls = configuration.certificate?.session()
    guard tls != nil || configuration.certificate == nil else {
      Foundation.close(client)
      return
    }
    lastID += 1
    let local = listensEverywhere ? ListeningSocket.localHost(of: client) : ""
    let link = GateLink(
      id: lastID, client: client, peer: peer, local: local,
      phase: .head(RequestHeadParser(configuration, peer: peer, local: local)), tls: tls)
    guard poller.add(client, token: link.id << 1, link.clientInterest) else {
      Foundation.close(client)
      return
    }
    link.due = now + configuration.requestTimeout
    links[link.id] = link
    addresses[peer, default: 0] += 1
  }

  private func stopListening() {
    guard listener >= 0 else { return }
    poller.remove(listener)
    Foundation.close(listener)
    listener = -1
  }

  // MARK: From the client to libmicrohttpd

  private func readClient(_ link: GateLink) {
    switch receive(link.client) {
    case .wouldBlock: return
    case .ended: link.hasEnded = true
    case .bytes(let count):
      if case .ending = link.phase { return }
      let wasIdle = link.isIdle
      if let tls = link.tls {
        guard decrypt(count, tls, of: link) else { return }
      } else {
        link.arrived.append(contentsOf: room[..<count])
      }
      // The bytes of a handshake gain a client no time.
      if wasIdle, !link.isIdle { link.due = now + configuration.requestTimeout }
    }
    advance(link)
  }

  /// Takes the content out of the bytes in `room`, and sends what TLS itself has to answer.
  /// - Returns: whether the link goes on.
  private func decrypt(_ count: Int, _ tls: TLSSession, of link: GateLink) -> Bool {
    if !tls.hasBegun, TLSSession.isPlainText(room[0]) {
      // The client doesn't speak TLS, so only an answer without it can be understood.
      link.tls = nil
      refuse(
        link,
        Problem(
          400, HTTPErrorCode.tlsNeeded, detail: "This port speaks HTTP over TLS only: use an address with https://."))
      return false
    }
    let outcome = room.withUnsafeBytes { room in
      tls.receive(
        UnsafeRawBufferPointer(rebasing: room[..<count]), content: &link.arrived, output: &link.toClient)
    }
    switch outcome {
    case .open: break
    case .ended: link.hasEnded = true
    case .failed:
      closeInner(link)
      end(link)
      return false
    }
    if !link.toClient.isEmpty { sendToClient(link) }
    return links[link.id] != nil
  }

  /// Checks what has arrived and lets through what is in order.
  private func advance(_ link: GateLink) {
    do {
      while try step(link) {}
    } catch {
      return refuse(link, error)
    }
    sendToInner(link)
    guard link.hasEnded else { return }
    switch link.phase {
    // The rest will never come.
    case .head, .body: close(link)
    case .ending: if link.toClient.isEmpty { close(link) }
    case .answering, .answered: break
    }
  }

  /// - Returns: whether there is more to do.
  private func step(_ link: GateLink) throws(Problem) -> Bool {
    switch link.phase {
    case .head(var parser):
      // Kept also when the head is refused: an answer to HEAD has no body.
      defer { link.method = parser.method }
      guard let head = try parser.parse(link.arrived[...]) else {
        link.phase = .head(parser)
        return false
      }
      link.arrived.removeFirst(head.size)
      try letThrough(head, of: link)
      return true
    case .body(var framing):
      guard !link.arrived.isEmpty else { return false }
      let (taken, content) = try framing.take(link.arrived[...])
      try hold(framing.contentBytes, of: link)
      for range in content { link.toInner.append(framing.carried(link.arrived[range])) }
      link.arrived.removeFirst(taken)
      if framing.isWhole {
        link.toInner.append(framing.end)
        arrivedWhole(link)
      } else {
        link.phase = .body(framing)
      }
      return taken > 0
    case .answering, .answered, .ending: return false
    }
  }

  private func letThrough(_ head: RequestHeadParser.Head, of link: GateLink) throws(Problem) {
    guard !gate.isDraining else {
      throw Problem(
        503, HTTPErrorCode.shuttingDown, detail: "The server is shutting down. Send the request again later.")
    }
    if link.inner < 0 { try open(link) }
    link.requests += 1
    gate.admit(Gate.Admitted(link: link.id, number: link.requests, head: head.head), at: link.far)
    // A client that has sent its body already does not wait to be asked for it.
    link.toInner.append(Array(head.reduced(asksForBody: link.arrived.isEmpty).utf8))
    let framing = BodyFraming(head.body, configuration: configuration)
    if framing.isWhole { arrivedWhole(link) } else { link.phase = .body(framing) }
  }

  private func open(_ link: GateLink) throws(Problem) {
    let problem = Problem(
      503, HTTPErrorCode.tooManyConnections, detail: "The server has no room for a further connection.",
      headers: ["Retry-After": "1"])
    guard let (near, far) = Socket.pair() else { throw problem }
    guard poller.add(near, token: link.id << 1 | 1, link.innerInterest) else {
      Foundation.close(near)
      Foundation.close(far)
      throw problem
    }
    (link.inner, link.far) = (near, far)
    // libmicrohttpd closes its end itself, also when it refuses it.
    guard connect(far) else {
      closeInner(link)
      throw problem
    }
  }

  private func arrivedWhole(_ link: GateLink) {
    link.phase = .answering
    link.due = nil
  }

  /// Counts the bytes of a body against the limit for all.
  private func hold(_ bytes: Int, of link: GateLink) throws(Problem) {
    heldBytes += max(0, bytes - Self.freeBodyBytes) - max(0, link.bodyBytes - Self.freeBodyBytes)
    link.bodyBytes = bytes
    guard heldBytes <= configuration.maxBodyBytesInFlight else {
      throw Problem(
        503, HTTPErrorCode.tooManyBodies,
        detail: "The server holds as many bytes of requests as it may. Send the request again in a second.",
        headers: ["Retry-After": "1"])
    }
  }

  private func release(_ link: GateLink) {
    heldBytes -= max(0, link.bodyBytes - Self.freeBodyBytes)
    link.bodyBytes = 0
  }

  private func sendToInner(_ link: GateLink) {
    guard link.inner >= 0, !link.toInner.isEmpty else { return }
    // When libmicrohttpd has closed, its last answer is still there to be read.
    if link.toInner.flush(to: link.inner) == nil { link.toInner.removeAll() }
  }

  // MARK: From libmicrohttpd to the client

  /// - Parameter all: libmicrohttpd has closed: everything is taken, however slow the client is.
  private func readInner(_ link: GateLink, all: Bool = false) {
    while link.inner >= 0, all || link.toClient.isEmpty {
      switch receive(link.inner) {
      case .bytes(let count):
        link.send(room[..<count])
        sendToClient(link)
        guard links[link.id] != nil else { return }
      case .ended:
        closeInner(link)
        end(link)
        return
      case .wouldBlock:
        if case .answered = link.phase, link.toClient.isEmpty { beginNext(link) }
        return
      }
    }
  }

  private func completed(_ link: GateLink) {
    guard case .answering = link.phase else { return }
    release(link)
    link.phase = .answered
    readInner(link)
  }

  private func beginNext(_ link: GateLink) {
    link.phase = .head(RequestHeadParser(configuration, peer: link.peer, local: link.local))
    link.method = nil
    link.due = now + (link.arrived.isEmpty ? configuration.idleTimeout : configuration.requestTimeout)
    advance(link)
  }

  private func sendToClient(_ link: GateLink) {
    let wasEmpty = link.toClient.isEmpty
    guard let moved = link.toClient.flush(to: link.client) else { return close(link) }
    switch link.phase {
    // `100 Continue`: the client must still bring its request in time.
    case .head, .body: break
    case .ending: if link.toClient.isEmpty, !wasEmpty { finish(link) }
    case .answering, .answered:
      if link.toClient.isEmpty {
        link.due = nil
        if !wasEmpty, case .answered = link.phase { readInner(link) }
      } else if moved || link.due == nil {
        // A client that takes nothing of its answer for so long is gone.
        link.due = now + configuration.idleTimeout
      }
    }
  }

  // MARK: Ending

  /// Answers at once, in the place of everything that the request would have led to.
  private func refuse(_ link: GateLink, _ problem: Problem) {
    closeInner(link)
    link.send(problem.rawAnswer(withBody: link.method != "HEAD")[...])
    end(link)
  }

  /// Sends what there is, then ends the connection.
  private func end(_ link: GateLink) {
    release(link)
    link.phase = .ending
    link.arrived = []
    link.toInner.removeAll()
    link.tls?.end(output: &link.toClient)
    link.due = now + configuration.idleTimeout
    guard link.toClient.flush(to: link.client) != nil else { return close(link) }
    if link.toClient.isEmpty { finish(link) }
  }

  /// Ends the sending side when everything is sent, and waits a little for the client to end its side.
  private func finish(_ link: GateLink) {
    if link.hasEnded || isStopping { return close(link) }
    shutdown(link.client, Int32(SHUT_WR))
    link.due = now + Self.endingTime
  }

  private func closeInner(_ link: GateLink) {
    guard link.inner >= 0 else { return }
    gate.forget(link.id, at: link.far)
    poller.remove(link.inner)
    Foundation.close(link.inner)
    (link.inner, link.far) = (-1, -1)
  }

  private func close(_ link: GateLink) {
    guard links.removeValue(forKey: link.id) != nil else { return }
    // A client of TLS takes an end without this for a cut.
    if let tls = link.tls, link.toClient.isEmpty {
      tls.end(output: &link.toClient)
      _ = link.toClient.flush(to: link.client)
    }
    release(link)
    closeInner(link)
    poller.remove(link.client)
    Foundation.close(link.client)
    if let count = addresses[link.peer] { addresses[link.peer] = count > 1 ? count - 1 : nil }
    accept(true)
  }

  private func sweep(_ now: Timestamp) {
    accept(true)
    for link in links.values {
      guard let due = link.due, due <= now else { continue }
      switch link.phase {
      case .head where link.arrived.isEmpty: close(link)
      case .head, .body:
        refuse(
          link,
          Problem(
            408, HTTPErrorCode.requestTimeout,
            detail: "The request hadn't arrived within \(configuration.requestTimeout)."))
        if links[link.id] != nil { setInterest(link) }
      case .answering, .answered, .ending: close(link)
      }
    }
  }

  private func setInterest(_ link: GateLink) {
    let isEnding = if case .ending = link.phase { true } else { false }
    // A client that reads nothing must not be answered by TLS without an end.
    let isAnswered = link.tls == nil || link.toClient.count < 256 << 10
    let hasRoom =
      link.toInner.isEmpty && isAnswered && link.arrived.count < max(64 << 10, configuration.maxHeaderBytes + 2)
    let client = Poller.Interest(read: !link.hasEnded && (isEnding || hasRoom), write: !link.toClient.isEmpty)
    if client != link.clientInterest {
      link.clientInterest = client
      poller.change(link.client, token: link.id << 1, client)
    }
    guard link.inner >= 0 else { return }
    let inner = Poller.Interest(read: link.toClient.isEmpty, write: !link.toInner.isEmpty)
    if inner != link.innerInterest {
      link.innerInterest = inner
      poller.change(link.inner, token: link.id << 1 | 1, inner)
    }
  }
}
