import HTTP
import JSON
import Runtime
import SagaCore
import Values
import WorkflowEngine
import Workflows

/// Makes the attempts of `http` steps.
public final class HTTPStepExecutor: StepExecutor {
  /// 1 MiB.
  public static let maxResponseBytes = 1 << 20

  private let client: HTTPClient
  private let services: [String: Service]
  private let gates: [String: ServiceGate]
  private let access: [String: ServiceAccess]
  private let credentials: [String: ServiceCredentials]
  private let clock: any WallClock
  private let maxResponseBytes: Int

  /// - Parameters:
  ///   - client: makes the calls.
  ///   - services: the services that workflows name.
  ///   - access: by the service's name, what its calls have beside their URL: headers, tokens, limits, trust.
  ///   - clock: limits the wait for a service that has no free place.
  ///   - maxResponseBytes: the most bytes of an answer that are read, because the saga's history stores it.
  ///   - log: gets a warning when a secret's file can't be read any more.
  public init(
    client: HTTPClient, services: [Service], access: [String: ServiceAccess] = [:], clock: any WallClock,
    maxResponseBytes: Int = HTTPStepExecutor.maxResponseBytes, log: Log = .silent
  ) {
    self.client = client
    self.services = Dictionary(services.map { ($0.name, $0) }, uniquingKeysWith: { _, last in last })
    gates = self.services.mapValues { ServiceGate(limit: $0.maxInFlight) }
    self.access = access
    let needing = access.filter { !$0.value.fields.isEmpty || $0.value.clientCredentials != nil }
    credentials = Dictionary(
      uniqueKeysWithValues: needing.map { name, access in
        (name, ServiceCredentials(access, service: name, client: client, clock: clock, log: log))
      })
    self.clock = clock
    self.maxResponseBytes = maxResponseBytes
  }

  public func perform(_ call: StepCall) async -> StepOutcome {
    guard case .http(let action) = call.action else { return .failed(.kafkaNotConfigured) }
    return await perform(call, action)
  }

  private func perform(_ call: StepCall, _ action: RenderedHTTP) async -> StepOutcome {
    guard let service = services[action.service], let gate = gates[action.service] else {
      return .failed(
        StepFailure(
          code: EngineErrorCode.serviceUnknown,
          message: "The service “\(action.service)” is not configured on this engine.", isRetryable: true))
    }
    guard await gate.enter(within: call.timeout, clock: clock) else {
      return .notSent(
        StepFailure(
          code: EngineErrorCode.serviceBusy, classes: ["http.notSent"],
          message: "\(service.name) has \(service.maxInFlight) calls under way; this one waits for its turn.",
          isRetryable: true))
    }
    defer { gate.leave() }
    guard let credentials = credentials[service.name] else {
      return await attempt(call, action, service, fields: nil, time: time(of: call)).outcome
    }
    return await perform(call, action, service, credentials)
  }

  /// Makes a call with the service's own headers. A service that answers 401 did nothing, so the same call is sent once
  /// more if its headers have changed since: with another token, or with the new content of a secret's file.
  private func perform(
    _ call: StepCall, _ action: RenderedHTTP, _ service: Service, _ credentials: ServiceCredentials
  ) async -> StepOutcome {
    let sent: ServiceCredentials.Fields
    switch await credentials.headers() {
    case .success(let fields)?: sent = fields
    case .failure(let failure)?: return .failed(failure)
    case nil: return .notSent(.cancelledBeforeSending)
    }
    // The call's time begins now, because the participant does not cause the wait for its token.
    let deadline = clock.now() + time(of: call)
    let first = await attempt(call, action, service, fields: (sent, credentials), time: time(of: call))
    guard first.status == 401, !action.success.contains(where: { $0.contains(401) }) else { return first.outcome }
    let renewed: ServiceCredentials.Fields
    switch await credentials.headers(insteadOf: sent) {
    case .success(let fields)?: renewed = fields
    case .failure(let failure)?: return .failed(failure)
    case nil: return first.outcome
    }
    let left = deadline - clock.now()
    guard renewed != sent, left > .zero else { return first.outcome }
    return await attempt(call, action, service, fields: (renewed, credentials), time: left).outcome
  }

  private func time(of call: StepCall) -> Duration {
    switch call.action {
    case .http(let action): min(call.timeout, access[action.service]?.timeout ?? call.timeout)
    case .kafka, .task, .workflow: call.timeout
    }
  }

  /// Sends one request.
  /// - Returns: what it says about the step, and the status of the answer; nil without an answer.
  private func attempt(
    _ call: StepCall, _ action: RenderedHTTP, _ service: Service,
    fields: (sent: ServiceCredentials.Fields, credentials: ServiceCredentials)?, time: Duration
  ) async -> (outcome: StepOutcome, status: Int?) {
    do {
      // The call's time begins now, because the participant does not cause the wait for the store or for a place.
      let request = request(for: call, action, service, own: fields?.sent.all ?? [], timeout: time)
      var response = try await client.send(request)
      if let fields { response = fields.credentials.masked(response, sent: fields.sent) }
      let outcome = HTTPOutcome.read(
        response, success: action.success, service: service, now: clock.wallNow(), limit: maxResponseBytes)
      return (outcome, response.status)
    } catch {
      let outcome = HTTPOutcome.read(error, service: service)
      // The engine itself cut the call off, and a look that changes nothing can be made again.
      if case .unrecorded? = call.look, case .unknown(let failure) = outcome,
        [HTTPErrorCode.cancelled, HTTPErrorCode.shutdown].contains(error.code)
      {
        return (.notSent(failure), nil)
      }
      return (outcome, nil)
    }
  }

  /// - Parameter own: the service's headers. They replace those of the same name.
  private func request(
    for call: StepCall, _ action: RenderedHTTP, _ service: Service, own: [(name: String, value: String)],
    timeout: Duration
  ) -> HTTPClientRequest {
    var headers = HTTPHeaders()
    for field in call.fields(of: action) { headers.add(field.name, field.value) }
    for field in own { headers[field.name] = field.value }
    return HTTPClientRequest(
      method: action.method, url: service.baseURL + action.target(), headers: headers,
      body: action.body?.bytes() ?? [], timeout: timeout,
      maxResponseBytes: maxResponseBytes, takesPartialBody: true, tls: access[service.name]?.tls ?? HTTPClientTLS())
  }
}

extension StepFailure {
  fileprivate static let cancelledBeforeSending = StepFailure(
    code: HTTPErrorCode.cancelled, classes: [HTTPErrorCode.cancelled, "http.notSent"],
    message: "The call was cancelled before its token came.", isRetryable: true)
}
