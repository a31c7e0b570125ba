import HTTP
import SagaCore
import Values
import WorkflowEngine

// What the client brings, in the form that the core judges.

extension HTTPOutcome {
  static func read(_ error: HTTPClientError, service: Service) -> StepOutcome {
    unanswered(error.code, error.message, wasSent: error.sent, service: service.name)
  }

  /// - Parameter limit: the most bytes of a body that were read. Messages name it.
  static func read(
    _ response: HTTPClientResponse, success: [ClosedRange<Int>], service: Service, now: Timestamp,
    limit: Int = HTTPStepExecutor.maxResponseBytes
  ) -> StepOutcome {
    of(HTTPAnswer(response, from: service), success: success, now: now, limit: limit)
  }
}

extension HTTPAnswer {
  init(_ response: HTTPClientResponse, from service: Service) {
    let fault = response.bodyError.map {
      BodyFault(code: $0.code, message: $0.message, isTooLong: $0.code == HTTPErrorCode.responseTooLarge)
    }
    self.init(
      sender: Sender(name: service.name, keepsTombstones: service.keepsTombstones), status: response.status,
      body: response.body, reason: response.reason, bodyFault: fault, fields: response.headers)
  }
}
