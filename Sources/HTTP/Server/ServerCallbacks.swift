import CMicrohttpd
import Foundation
import JSON
import Synchronization

extension tracseq_mhd_callbacks {
  /// What libmicrohttpd calls, always on its one thread. `context` is the `ServerDaemon`.
  static func calling(_ context: UnsafeMutableRawPointer) -> tracseq_mhd_callbacks {
    tracseq_mhd_callbacks(
      access: { context, connection, _, method, version, bytes, size, exchange in
        guard let daemon = ServerDaemon.from(context), let exchange = Exchange.from(exchange?.pointee),
          let connection, let method, let version, let size
        else { return .NO }
        let chunk = UnsafeRawBufferPointer(start: bytes, count: size.pointee)
        size.pointee = 0
        return daemon.proceed(exchange, connection, method: method, version: version, chunk: chunk)
      },
      uri: { context, uri, connection in
        guard let daemon = ServerDaemon.from(context), let uri, let connection else { return nil }
        let number = daemon.requestBegan(Exchange.Connection(pointer: connection))
        let exchange = Exchange(connection: connection, uri: uri, number: number)
        // Released on completion.
        return Unmanaged.passRetained(exchange).toOpaque()
      },
      completed: { context, _, exchange, _ in
        guard let daemon = ServerDaemon.from(context), let pointer = exchange?.pointee else { return }
        exchange?.pointee = nil
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
        exchange.complete()
        daemon.requestEnded(exchange.connection)
        daemon.over(exchange)
      },
      connection: { context, connection, _, what in
        guard let daemon = ServerDaemon.from(context), let connection else { return }
        let handle = Exchange.Connection(pointer: connection)
        if what == .CONNECTION_NOTIFY_STARTED {
          daemon.connected(handle, socket: tracseq_mhd_socket(connection))
        } else {
          daemon.disconnected(handle)
        }
      },
      context: context)
  }
}

extension ServerDaemon {
  fileprivate static func from(_ context: UnsafeMutableRawPointer?) -> ServerDaemon? {
    context.map { Unmanaged<ServerDaemon>.fromOpaque($0).takeUnretainedValue() }
  }

  /// One step of a request: its head has come, or a piece of its body, or its end, or its answer is there.
  fileprivate func proceed(
    _ exchange: Exchange, _ connection: OpaquePointer, method: UnsafePointer<CChar>,
    version: UnsafePointer<CChar>, chunk: UnsafeRawBufferPointer
  ) -> MHD_Result {
    let (phase, hasHead) = exchange.state.withLock { ($0.phase, $0.head != nil) }
    switch phase {
    case .reading:
      if !hasHead {
        began(exchange)
        return readHead(exchange, connection, method: method, version: version)
      }
      if !chunk.isEmpty { return append(chunk, to: exchange) }
      return handle(exchange)
    case .refused:
      // The answer has been written: take what is still on its way, then close.
      return chunk.isEmpty ? .NO : .YES
    case .answered(let response):
      exchange.state.withLock { $0.phase = .sending }
      return ResponseWriter(exchange: exchange, suspended: suspended, closes: isDraining).send(response)
    case .handling, .sending, .over:
      return .YES
    }
  }

  private func readHead(
    _ exchange: Exchange, _ connection: OpaquePointer, method: UnsafePointer<CChar>, version: UnsafePointer<CChar>
  ) -> MHD_Result {
    let reader = RequestHeadReader(
      connection: connection, line: exchange.line, target: exchange.target, configuration: configuration)
    do {
      let head = try reader.read(method: method, version: version)
      exchange.state.withLock { $0.head = head }
      if isDraining {
        return refuse(
          exchange, Problem(503, HTTPErrorCode.shuttingDown, detail: "The server is shutting down; ask again later."))
      }
      return .YES
    } catch {
      return refuse(exchange, error)
    }
  }

  private func append(_ chunk: UnsafeRawBufferPointer, to exchange: Exchange) -> MHD_Result {
    let limit = configuration.maxBodyBytes
    let fits = exchange.state.withLock { state in
      guard state.body.count + chunk.count <= limit else { return false }
      state.body.append(contentsOf: chunk)
      return true
    }
    return fits ? .YES : refuse(exchange, configuration.bodyTooLarge)
  }

  /// Answers at once and half-closes. What the client is still sending is read and thrown away until it ends or its
  /// time is up: closing on it would reset the connection, and the client might never see the answer.
  private func refuse(_ exchange: Exchange, _ problem: Problem) -> MHD_Result {
    let method = exchange.state.withLock { state in
      state.phase = .refused
      state.body = []
      return state.head?.method
    }
    RawAnswer.send(problem.rawAnswer(withBody: method != "HEAD"), to: exchange.socket)
    shutdown(exchange.socket, Int32(SHUT_WR))
    return .YES
  }

  /// The request is whole: suspends its connection and gives it to the handler.
  private func handle(_ exchange: Exchange) -> MHD_Result {
    let request = exchange.state.withLock { state -> HTTPServerRequest? in
      guard let head = state.head else { return nil }
      defer { state.body = [] }
      state.phase = .handling(nil)
      return HTTPServerRequest(
        method: head.method, target: head.target, headers: head.headers, body: state.body,
        remoteAddress: head.remoteAddress, numberOnConnection: exchange.number)
    }
    guard let request else { return .NO }
    requestArrived(exchange.connection)
    suspended.suspend(exchange.connection)
    let task = Task { [handler, suspended] in
      let response = await handler(request)
      if exchange.answer(response) {
        suspended.resume(exchange.connection)
      } else if case .stream(let stream) = response.body {
        stream.cancel()
      }
    }
    exchange.handled(by: task)
    return .YES
  }
}

extension Exchange {
  fileprivate static func from(_ context: UnsafeMutableRawPointer?) -> Exchange? {
    context.map { Unmanaged<Exchange>.fromOpaque($0).takeUnretainedValue() }
  }

  /// Keeps the task, to cancel it should the server give up on it.
  fileprivate func handled(by task: Task<Void, Never>) {
    let isOpen = state.withLock { state in
      guard case .handling = state.phase else { return false }
      state.phase = .handling(task)
      return true
    }
    if !isOpen { task.cancel() }
  }

  /// Everything was sent, or the client has gone.
  fileprivate func complete() {
    let stream = state.withLock { state in
      state.phase = .over
      defer { state.stream = nil }
      return state.stream
    }
    stream?.cancel()
  }

  /// The server stops: cancels the handler or the stream, and answers in the handler's place.
  func abandon(_ suspended: SuspendedCount) {
    let (task, stream) = state.withLock { state -> (Task<Void, Never>?, StreamingBody?) in
      if case .handling(let task) = state.phase { return (task, nil) }
      return (nil, state.stream)
    }
    task?.cancel()
    stream?.cancel()
    let problem = Problem(
      503, HTTPErrorCode.shuttingDown,
      detail: "The server shut down while the request was handled. What it asked for may have been done.",
      members: ["mayHaveHappened": true])
    // Written at once: libmicrohttpd's thread may be stopped before it comes to the answer. As long as the connection is
    // suspended, its socket stays open and nothing else writes to it.
    guard answer(.hangUp) else { return }
    let isHead = state.withLock { $0.head?.method == "HEAD" }
    RawAnswer.send(problem.rawAnswer(withBody: !isHead), to: socket)
    suspended.resume(connection)
  }
}
