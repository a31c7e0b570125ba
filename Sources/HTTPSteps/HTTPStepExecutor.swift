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
  private let clock: any WallClock
  private let maxResponseBytes: Int

  /// - Parameters:
  ///   - client: makes the calls.
  ///   - services: the services that workflows name.
  ///   - clock: limits the wait for a service that has no free place.
  ///   - maxResponseBytes: the most bytes of an answer that are read, because the saga's history stores it.
  public init(
    client: HTTPClient, services: [Service], clock: any WallClock,
    maxResponseBytes: Int = HTTPStepExecutor.maxResponseBytes
  ) {
    self.client = client
    self.services = Dictionary(services.map { ($0.name, $0) }, uniquingKeysWith: { _, last in last })
    gates = self.services.mapValues { ServiceGate(limit: $0.maxInFlight) }
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
    do {
      // The call's time begins now, because the participant does not cause the wait for the store or for a place.
      let response = try await client.send(request(for: call, action, service, timeout: call.timeout))
      return HTTPOutcome.read(
        response, success: action.success, service: service, now: clock.wallNow(), limit: maxResponseBytes)
    } catch {
      let outcome = HTTPOutcome.read(error, service: service)
      // The engine itself cut the call off, and a look that changes nothing can be made again.
      if case .unrecorded? = call.look, case .unknown(let failure) = outcome,
        [HTTPErrorCode.cancelled, HTTPErrorCode.shutdown].contains(error.code)
      {
        return .notSent(failure)
      }
      return outcome
    }
  }

  private func request(
    for call: StepCall, _ action: RenderedHTTP, _ service: Service, timeout: Duration
  ) -> HTTPClientRequest {
    var headers = HTTPHeaders()
    for field in call.fields(of: action) { headers.add(field.name, field.value) }
    return HTTPClientRequest(
      method: action.method, url: service.baseURL + action.target(), headers: headers,
      body: action.body?.bytes() ?? [], timeout: timeout,
      maxResponseBytes: maxResponseBytes, takesPartialBody: true)
  }
}
