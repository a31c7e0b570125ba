import HTTP
import JSON
import JSONSchema
import Notifications
import Persistence
import SagaCore
import Streaming
import Values
import Wire
import WorkflowEngine
import Workflows

/// The one table of HTTP statuses: which status and title an error code is answered with.
enum Refusals {
  static let reasonMissing = EngineErrorCode.sagaReasonMissing
  /// The value of the header `WWW-Authenticate` with status 401 (RFC 6750).
  static let challenge = "Bearer realm=\"saga\""
  /// The value of the header `Retry-After` with status 503, in seconds.
  static let retryAfter = "1"

  private static let table: [String: (status: Int, title: String)] = [
    EngineErrorCode.sagaNotFound: (404, "No such saga"),
    EngineErrorCode.sagaVersionUnknown: (404, "No such version"),
    EngineErrorCode.sagaEnded: (409, "The saga has ended"),
    EngineErrorCode.sagaNotStuck: (409, "The saga is not stuck"),
    EngineErrorCode.sagaPivotPassed: (409, "The pivot has succeeded"),
    EngineErrorCode.sagaTurningBack: (409, "The saga is turning back"),
    EngineErrorCode.sagaAttemptInFlight: (409, "An attempt is under way"),
    EngineErrorCode.sagaTooLarge: (422, "The saga is too large"),
    EngineErrorCode.eventTooLarge: (422, "The event is too large"),
    EngineErrorCode.sagaHeld: (409, "The saga is held back"),
    EngineErrorCode.sagaPaused: (409, "The saga is paused"),
    EngineErrorCode.sagaNotPaused: (409, "The saga is not paused"),
    EngineErrorCode.sagaRewinding: (409, "The saga is being rewound"),
    EngineErrorCode.sagaNotMovable: (409, "The saga can't move to that version"),
    EngineErrorCode.sagaAlreadyOnVersion: (409, "The saga is on that version already"),
    EngineErrorCode.sagaChanged: (409, "The saga has changed"),
    EngineErrorCode.commandReused: (409, "The key was used for another request"),
    EngineErrorCode.sagaStartKeyReused: (409, "The key was used for another start"),
    EngineErrorCode.sagaReasonMissing: (400, "No reason given"),
    EngineErrorCode.sagaNotEnded: (409, "The saga has not ended"),
    EngineErrorCode.sagaNotSealed: (409, "The saga has no sealed values"),
    EngineErrorCode.sagaForgotten: (409, "The saga is forgotten"),
    EngineErrorCode.sagaSealKeyMissing: (409, "The saga's key is missing"),
    EngineErrorCode.sealKeysMissing: (409, "The engine has no seal keys"),
    EngineErrorCode.stepUnknown: (400, "No such step"),
    EngineErrorCode.stepNotRetryable: (409, "The step can't be retried"),
    EngineErrorCode.stepNotResolvable: (409, "The step can't be resolved this way"),
    EngineErrorCode.stepInputNotTaken: (409, "The step takes no other input"),
    EngineErrorCode.stepOutcomeUnknown: (409, "The step may have happened"),
    EngineErrorCode.stepNotSkippable: (409, "The step can't be skipped"),
    EngineErrorCode.stepNothingDue: (409, "No step waits for a time"),
    EngineErrorCode.stepNotWaiting: (409, "The step does not wait for a time"),
    EngineErrorCode.stepNotRewindable: (409, "The saga can't be rewound so far"),
    EngineErrorCode.deadlineNotLater: (409, "The deadline would not be later"),
    EngineErrorCode.signalUnknown: (404, "No such signal"),
    WorkflowErrorCode.expressionBudget: (422, "The condition takes too much work"),
    WorkflowErrorCode.concurrencyBadKey: (422, "The key of the workflow's turn is wrong"),
    EngineErrorCode.inputInvalid: (422, "The input doesn't meet its schema"),
    EngineErrorCode.signalInvalid: (422, "The signal doesn't meet its schema"),
    SchemaErrorCode.budget: (422, "The check against the schema takes too much work"),
    EngineErrorCode.signalRefused: (422, "The signal was refused"),
    EngineErrorCode.signalRoleMissing: (403, "The signal needs a laboratory role"),
    EngineErrorCode.signalLimit: (409, "The saga keeps no more signals"),
    EngineErrorCode.signalDropped: (409, "No step took the signal"),
    EngineErrorCode.signalTooLate: (409, "The signal came too late"),
    EngineErrorCode.workflowNotFound: (404, "No such workflow"),
    EngineErrorCode.workflowInvalid: (422, "The workflow has errors"),
    EngineErrorCode.workflowConflict: (409, "The version is registered with other content"),
    EngineErrorCode.workflowDraftsOff: (409, "The engine takes no drafts"),
    EngineErrorCode.workflowOnlyDrafts: (409, "The workflow has only drafts"),
    EngineErrorCode.workflowTooManyDrafts: (409, "The workflow has too many drafts"),
    EngineErrorCode.engineNotReady: (503, "Not ready yet"),
    EngineErrorCode.engineDraining: (503, "Shutting down"),
    EngineErrorCode.auditRunning: (409, "An audit is running"),
    EngineErrorCode.auditTooLarge: (422, "Too many events for one request"),
    AuditErrorCode.headUnreadable: (422, "The head can't be read"),
    AuditErrorCode.headUnsigned: (422, "The head is not signed"),
    AuditErrorCode.otherKey: (422, "The head was signed with another key"),
    AuditErrorCode.signatureWrong: (422, "The signature is wrong"),
    AuditErrorCode.otherStore: (422, "The head belongs to another store"),
    EngineErrorCode.operationNotFound: (404, "No such operation"),
    EngineErrorCode.operationEmpty: (422, "The operation has no saga"),
    EngineErrorCode.operationTooMany: (422, "Too many sagas for one operation"),
    EngineErrorCode.operationChanged: (409, "The sagas are not those of the preview"),
    EngineErrorCode.operationBehind: (503, "Lists are behind"),
    EngineErrorCode.operationEnded: (409, "The operation has ended"),
    EngineErrorCode.operationNotWaiting: (409, "The operation does not wait for an approval"),
    EngineErrorCode.operationSamePerson: (403, "Another person has to approve"),
    EngineErrorCode.operationNameless: (403, "Both persons need names"),
    ServerErrorCode.operationIDMalformed: (400, "Not an operation id"),
    StoreErrorCode.unavailable: (503, "The store is not available"),
    StoreErrorCode.outcomeUnknown: (503, "The outcome is unknown"),
    StoreErrorCode.corrupt: (500, "The store contradicts itself"),
    StoreErrorCode.notOwner: (503, "Not the owner of the saga"),
    StoreErrorCode.closed: (503, "The store is closed"),
    ServerErrorCode.cursorMalformed: (400, "The cursor is malformed"),
    ServerErrorCode.bodyMalformed: (400, "The body is not JSON"),
    ServerErrorCode.memberUnknown: (400, "Unknown member"),
    ServerErrorCode.memberMissing: (400, "Missing member"),
    ServerErrorCode.memberInvalid: (400, "Invalid member"),
    ServerErrorCode.parameterUnknown: (400, "Unknown parameter"),
    ServerErrorCode.parameterInvalid: (400, "Invalid parameter"),
    ServerErrorCode.headerInvalid: (400, "Invalid header"),
    EngineErrorCode.taskLeaseLost: (409, "The task is not leased to this worker"),
    EngineErrorCode.taskTooManyPolls: (503, "Too many workers wait"),
    EngineErrorCode.taskNotFound: (404, "No such task"),
    ServerErrorCode.sagaIDMalformed: (400, "Not a saga id"),
    ServerErrorCode.liveFull: (503, "Too many clients"),
    ServerErrorCode.keyMissing: (401, "A key is needed"),
    ServerErrorCode.keyUnknown: (401, "The key is unknown"),
    ServerErrorCode.keyExpired: (401, "The key has expired"),
    ServerErrorCode.keyRevoked: (401, "The key was revoked"),
    ServerErrorCode.sessionEnded: (401, "The session has ended"),
    ServerErrorCode.tokenInvalid: (401, "The token does not count"),
    ServerErrorCode.tokenExpired: (401, "The token has expired"),
    ServerErrorCode.signInFailed: (401, "The sign-in failed"),
    ServerErrorCode.providerOff: (404, "No OpenID provider"),
    ServerErrorCode.providerUnavailable: (503, "The OpenID provider is away"),
    ServerErrorCode.roleMissing: (403, "A role is missing"),
    ServerErrorCode.otherPerson: (403, "Not the caller's own name"),
    HTTPErrorCode.shuttingDown: (503, "Shutting down"),
    HTTPErrorCode.badRequest: (400, HTTPStatus.phrase(400)),
    HTTPErrorCode.emptyBody: (400, HTTPStatus.phrase(400)),
    HTTPErrorCode.bodyTooLarge: (413, HTTPStatus.phrase(413)),
    HTTPErrorCode.unsupportedMediaType: (415, HTTPStatus.phrase(415)),
    HTTPErrorCode.internalError: (500, HTTPStatus.phrase(500)),
    EngineErrorCode.noticeDestinationUnknown: (404, "No such destination"),
    EngineErrorCode.noticeUnknown: (404, "No such notice"),
    ServerErrorCode.echoOff: (404, "No echo"),
    StreamingErrorCode.echoRewindInvalid: (409, "The echo can't be rewound to there"),
  ]

  /// The codes with which the HTTP server refuses a request before it has a route, and their statuses.
  static let anyRequest: [String: Int] = [
    HTTPErrorCode.ambiguousLength: 400, HTTPErrorCode.tlsNeeded: 400, HTTPErrorCode.crossSite: 403,
    HTTPErrorCode.notFound: 404,
    HTTPErrorCode.methodNotAllowed: 405, HTTPErrorCode.requestTimeout: 408, HTTPErrorCode.targetTooLong: 414,
    HTTPErrorCode.unsupportedContentEncoding: 415, HTTPErrorCode.expectationFailed: 417,
    HTTPErrorCode.hostNotAllowed: 421, HTTPErrorCode.tooManyConnections: 429, HTTPErrorCode.headersTooLarge: 431,
    HTTPErrorCode.methodUnknown: 501, HTTPErrorCode.unsupportedTransferEncoding: 501,
    HTTPErrorCode.tooManyBodies: 503, HTTPErrorCode.versionNotSupported: 505,
  ]

  /// Every code that a route can answer.
  static var codes: [String] { table.keys.sorted() }
  /// Returns the status that a code is answered with; nil for a code that is never answered.
  static func status(of code: String) -> Int? { table[code]?.status ?? anyRequest[code] }
  static func title(of code: String) -> String { table[code]?.title ?? anyRequest[code].map(HTTPStatus.phrase) ?? code }

  /// Returns the problem that a client gets for an error; nil for an error that clients must not see.
  static func problem(answering error: any Error) -> Problem? {
    if let problem = error as? Problem { return problem }
    if let error = error as? EngineError, !error.findings.isEmpty {
      return problem(error.code, error.message, errors: error.findings.map(\.json))
    }
    guard let refusal = error as? any CodedError, table[refusal.code] != nil else { return nil }
    let violations = (error as? Refusal)?.violations ?? []
    var answer = problem(refusal.code, refusal.message, errors: violations.map { $0.response(refusal.code) })
    if let refusal = error as? Refusal, refusal.moreViolations > 0 {
      answer.members["more"] = .int(refusal.moreViolations)
    }
    if let refusal = error as? Refusal, !refusal.allowed.isEmpty {
      answer.members["allowed"] = .list(refusal.allowed.map(\.response))
    }
    if refusal.code == StoreErrorCode.outcomeUnknown { answer.members["mayHaveHappened"] = true }
    if let unknown = error as? OutcomeUnknown {
      if let saga = unknown.saga {
        answer.members["saga"] = .string(saga.description)
        answer.headers["Location"] = "/v1/sagas/\(saga)"
      }
      if let operation = unknown.operation {
        answer.members["operation"] = .string(operation.description)
        answer.headers["Location"] = "/v1/operations/\(operation)"
      }
    }
    return answer
  }

  /// Returns a problem with one of the codes above.
  static func problem(_ code: String, _ detail: String, errors: [JSON] = []) -> Problem {
    let status = status(of: code) ?? 500
    let headers: HTTPHeaders =
      switch status {
      case 401: ["WWW-Authenticate": challenge]
      case 503: ["Retry-After": retryAfter]
      default: [:]
      }
    return Problem(status, code, title: title(of: code), detail: detail, errors: errors, headers: headers)
  }
}

extension SchemaViolation {
  /// The violation as one of a problem's errors. `pointer` leads into the request's body, `schema` into the schema.
  fileprivate func response(_ code: String) -> JSON {
    [
      "code": .string(code), "pointer": .string(instance.shown), "schema": .string(keyword),
      "message": .string(message),
    ]
  }
}

/// The HTTP status of an error code, for people.
public enum ErrorStatus {
  /// Returns the status and title of a code, as `409: The saga is paused`. Nil for a code that the engine does not
  /// answer, and for the one code with two statuses, whose page names both.
  public static func text(of code: String) -> String? {
    guard code != HTTPErrorCode.tooManyConnections else { return nil }
    return Refusals.status(of: code).map { "\($0): \(Refusals.title(of: code))" }
  }
}
