import CMicrohttpd
import Foundation
import JSON
import Synchronization
import Values

extension tracseq_mhd_callbacks {
  /// The callbacks of libmicrohttpd, which come on its one thread. `context` is the `ServerDaemon`.
  static func calling(_ context: UnsafeMutableRawPointer) -> tracseq_mhd_callbacks {
    tracseq_mhd_callbacks(
      access: { context, connection, _, _, _, bytes, size, exchange in
        guard let daemon = ServerDaemon.from(context), let exchange = Exchange.from(exchange?.pointee),
          let size
        else { return .NO }
        let chunk = UnsafeRawBufferPointer(start: bytes, count: size.pointee)
        size.pointee = 0
        return daemon.proceed(exchange, chunk: chunk)
      },
      uri: { context, _, connection in
        guard let daemon = ServerDaemon.from(context), let connection else { return nil }
        let socket = tracseq_mhd_socket(connection)
        // Without one the access handler closes the connection: nothing comes here but through the gate.
        guard let admitted = daemon.gate.takeAdmitted(at: socket) else { return nil }
        let exchange = Exchange(connection: connection, socket: socket, admitted: admitted)
        daemon.began(exchange)
        // Released on completion.
        return Unmanaged.passRetained(exchange).toOpaque()
      },
      completed: { context, _, exchange, _ in
        guard let daemon = ServerDaemon.from(context), let pointer = exchange?.pointee else { return }
        exchange?.pointee = nil
        let exchange = Unmanaged<Exchange>.fromOpaque(pointer).takeRetainedValue()
        exchange.complete()
        daemon.over(exchange)
        daemon.gate.completed(exchange.admitted.link)
      },
      context: context)
  }
}

extension ServerDaemon {
  fileprivate static func from(_ context: UnsafeMutableRawPointer?) -> ServerDaemon? {
    context.map { Unmanaged<ServerDaemon>.fromOpaque($0).takeUnretainedValue() }
  }

  /// One step of a request: its head has come, or a piece of its body, or its end, or its answer is there.
  fileprivate func proceed(_ exchange: Exchange, chunk: UnsafeRawBufferPointer) -> MHD_Result {
    let (phase, isFirst) = exchange.state.withLock { state in
      defer { state.hasBegun = true }
      return (state.phase, !state.hasBegun)
    }
    switch phase {
    case .reading:
      // libmicrohttpd calls once for the head, then for the body, then for the end.
      if isFirst { return .YES }
      if chunk.isEmpty { return handle(exchange) }
      exchange.state.withLock { $0.body.append(contentsOf: chunk) }
      return .YES
    case .answered(let response):
      exchange.state.withLock { $0.phase = .sending }
      return ResponseWriter(
        exchange: exchange, suspended: suspended, closes: gate.isDraining,
        demandsTLS: configuration.certificate != nil && exchange.admitted.head.isForUsualPort
      ).send(response)
    case .handling, .sending, .over:
      return .YES
    }
  }

  /// The request is whole: suspends its connection and gives it to the handler.
  private func handle(_ exchange: Exchange) -> MHD_Result {
    let head = exchange.admitted.head
    let body = exchange.state.withLock { state in
      defer { state.body = [] }
      state.phase = .handling(nil)
      return state.body
    }
    let request = HTTPServerRequest(
      method: head.method, target: head.target, headers: head.headers, body: body,
      remoteAddress: head.remoteAddress, isEncrypted: configuration.certificate != nil,
      numberOnConnection: exchange.admitted.number)
    suspended.suspend(exchange.connection)
    let chosen = place?(request)
    let task = Task(executorPreference: chosen?.pool, priority: chosen?.priority) { [handler, suspended] in
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

  /// Ends a request: everything was sent, or the client has gone.
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
    RawAnswer.send(problem.rawAnswer(withBody: admitted.head.method != "HEAD"), to: socket)
    suspended.resume(connection)
  }
}
