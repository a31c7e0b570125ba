import HTTP
import JSONSchema
import Notifications
import Persistence
import SagaCore
import Streaming
import WorkflowEngine
import Workflows

/// Every route of the server. The router is built from this list, and the command line takes its paths from it. Tests
/// compare `docs/schema/openapi.json` with it. The raw value is the `operationId` there.
public enum Endpoint: String, CaseIterable, Sendable {
  case listWorkflows, registerWorkflow, checkWorkflow, getWorkflow, getWorkflowVersion, getStatistics
  case startSaga, listSagas, listIncidents, getSaga, listEvents, getTimeline, listCalls, getDocument, listItems,
    sendSignal
  case getSagaByKey, sendSignalByKey
  case cancelSaga, retrySaga, resolveSaga, abandonSaga, pauseSaga, resumeSaga, skipStep, compensateSaga, runNow
  case extendDeadline, rewindSaga, migrateSaga, forgetSaga
  case listTasks, pollTasks, completeTask, failTask, heartbeatTask
  case listTurns, getStats, getProjections, rebuildProjections, getEcho, rewindEcho, getNotices, testNotices,
    resendNotices
  case streamEvents, listActs, auditHead, verifyAudit
  case beginOperation, listOperations, getOperation, listOperationSagas, approveOperation, declineOperation
  case stopOperation
  case whoAmI, showSignIn, signIn, signOut, beginSignIn, finishSignIn
  case getHealth, getReadiness, getMetrics, getOpenAPI
  // Pages, which the description of the API does not list.
  case consolePage, consoleFile, errorIndex, errorPage, schemaFile, eventSchemaFile

  /// Returns the route of a verb on one saga.
  static func verb(_ name: OperatorVerb.Name) -> Endpoint {
    switch name {
    case .cancel: .cancelSaga
    case .compensate: .compensateSaga
    case .abandon: .abandonSaga
    case .pause: .pauseSaga
    case .resume: .resumeSaga
    case .retry: .retrySaga
    case .resolve: .resolveSaga
    case .skip: .skipStep
    case .runNow: .runNow
    case .extend: .extendDeadline
    case .rewind: .rewindSaga
    case .migrate: .migrateSaga
    }
  }

  private static let refusalsOfSignals = [
    EngineErrorCode.commandReused, EngineErrorCode.eventTooLarge, WorkflowErrorCode.expressionBudget,
    EngineErrorCode.sagaEnded, EngineErrorCode.sagaTooLarge, EngineErrorCode.signalDropped,
    EngineErrorCode.signalInvalid, EngineErrorCode.signalLimit, EngineErrorCode.signalRefused,
    EngineErrorCode.signalRoleMissing,
    EngineErrorCode.signalTooLate, EngineErrorCode.signalUnknown, SchemaErrorCode.budget,
  ]

  private static let refusalsOfTasks = [
    EngineErrorCode.sagaHeld, EngineErrorCode.sagaNotFound, EngineErrorCode.sagaSealKeyMissing,
    EngineErrorCode.taskLeaseLost, EngineErrorCode.taskNotFound,
  ]

  public var facts: RouteFacts {
    switch self {
    case .listWorkflows:
      .get(.view, "/v1/workflows", "List workflows", query: ["cursor", "limit"])
    case .registerWorkflow:
      .post(
        .author, "/v1/workflows", "Register a workflow", query: ["draft"], headers: RouteFacts.who, body: .json,
        answers: [200, 201],
        refuses: [
          EngineErrorCode.workflowConflict, EngineErrorCode.workflowDraftsOff, EngineErrorCode.workflowInvalid,
          EngineErrorCode.workflowTooManyDrafts,
        ])
    case .checkWorkflow:
      .post(.author, "/v1/workflows/check", "Check a workflow", body: .checked)
    case .getWorkflow:
      .get(
        .read, "/v1/workflows/{name}", "Show a workflow's latest version", refuses: [EngineErrorCode.workflowNotFound])
    case .getStatistics:
      .get(
        .read, "/v1/workflows/{name}/statistics", "Show what a workflow's steps did, minute by minute",
        query: ["from", "to"],
        refuses: [EngineErrorCode.workflowNotFound])
    case .getWorkflowVersion:
      .get(
        .read, "/v1/workflows/{name}/{version}", "Show one version of a workflow",
        refuses: [ServerErrorCode.parameterInvalid, EngineErrorCode.workflowNotFound])
    case .startSaga:
      .post(
        .start, "/v1/workflows/{name}/sagas", "Start a saga", query: ["wait"], headers: RouteFacts.whoAndKey,
        body: .object,
        answers: [200, 201],
        refuses: [
          WorkflowErrorCode.concurrencyBadKey, EngineErrorCode.inputInvalid, EngineErrorCode.sagaForgotten,
          EngineErrorCode.sagaSealKeyMissing, EngineErrorCode.sagaStartKeyReused, EngineErrorCode.sealKeysMissing,
          EngineErrorCode.workflowDraftsOff,
          EngineErrorCode.workflowNotFound, EngineErrorCode.workflowOnlyDrafts, SchemaErrorCode.budget,
        ])
    case .listSagas:
      .get(.view, "/v1/sagas", "List sagas", query: SagaListReader.parameters)
    case .listIncidents:
      .get(
        .view, "/v1/incidents", "List what needs a person",
        query: ["kind", "workflow", "samples", "cursor", "limit", "seen"])
    case .getSaga:
      .get(
        .read, "/v1/sagas/{id}", "Show a saga", query: ["wait", "version"],
        refuses: [EngineErrorCode.sagaVersionUnknown])
    case .listEvents:
      .get(.read, "/v1/sagas/{id}/events", "Show a saga's history", query: ["after", "limit"])
    case .getTimeline:
      .get(.read, "/v1/sagas/{id}/timeline", "Show a saga's timeline", query: ["items"])
    case .listCalls:
      .get(
        .read, "/v1/sagas/{id}/calls", "Show what a saga sent and what was answered",
        query: ["step", "cursor", "limit"],
        refuses: [EngineErrorCode.stepUnknown])
    case .getDocument:
      .get(
        .read, "/v1/sagas/{id}/document", "Show the document that a saga's expressions read", query: ["version"],
        refuses: [EngineErrorCode.sagaVersionUnknown])
    case .listItems:
      .get(
        .read, "/v1/sagas/{id}/steps/{step}/items", "List the items of a step", query: ["status", "cursor", "limit"],
        refuses: [EngineErrorCode.stepUnknown])
    case .sendSignal:
      .post(
        .signal, "/v1/sagas/{id}/signals/{name}", "Send a signal", headers: RouteFacts.whoAndKey, body: .optionalJSON,
        answers: [200, 202], refuses: Self.refusalsOfSignals)
    case .getSagaByKey:
      .get(.read, "/v1/workflows/{name}/keys/{key}", "Show the saga that a key has started", query: ["wait"])
    case .sendSignalByKey:
      .post(
        .signal, "/v1/workflows/{name}/keys/{key}/signals/{signal}", "Send a signal to the saga that a key has started",
        headers: RouteFacts.whoAndKey, body: .optionalJSON, answers: [200, 202], refuses: Self.refusalsOfSignals)
    case .cancelSaga:
      .verb(.cancel, "Cancel a saga", refuses: [EngineErrorCode.sagaPivotPassed, EngineErrorCode.sagaTurningBack])
    case .retrySaga:
      .verb(
        .retry, "Retry stuck steps",
        refuses: [
          EngineErrorCode.eventTooLarge, EngineErrorCode.sagaNotStuck, EngineErrorCode.sagaTooLarge,
          EngineErrorCode.stepInputNotTaken, EngineErrorCode.stepNotRetryable, EngineErrorCode.stepOutcomeUnknown,
          EngineErrorCode.stepUnknown,
        ])
    case .resolveSaga:
      .verb(
        .resolve, "Say what happened in a step",
        refuses: [EngineErrorCode.stepNotResolvable, EngineErrorCode.stepUnknown])
    case .abandonSaga:
      .verb(.abandon, "Abandon a saga", refuses: [EngineErrorCode.sagaAttemptInFlight, EngineErrorCode.sagaNotStuck])
    case .pauseSaga:
      .verb(.pause, "Pause a saga", refuses: [EngineErrorCode.sagaPaused])
    case .resumeSaga:
      .verb(.resume, "Resume a paused saga", refuses: [EngineErrorCode.sagaNotPaused])
    case .skipStep:
      .verb(
        .skip, "Skip a step",
        refuses: [
          EngineErrorCode.eventTooLarge, EngineErrorCode.sagaRewinding, EngineErrorCode.sagaTooLarge,
          EngineErrorCode.sagaTurningBack, EngineErrorCode.stepNotSkippable, EngineErrorCode.stepOutcomeUnknown,
          EngineErrorCode.stepUnknown,
        ])
    case .compensateSaga:
      .verb(
        .compensate, "Compensate a saga", refuses: [EngineErrorCode.sagaPivotPassed, EngineErrorCode.sagaTurningBack])
    case .runNow:
      .verb(.runNow, "Run waiting steps now", refuses: [EngineErrorCode.stepNothingDue, EngineErrorCode.stepUnknown])
    case .extendDeadline:
      .verb(
        .extend, "Extend a deadline",
        refuses: [
          EngineErrorCode.deadlineNotLater, EngineErrorCode.sagaTurningBack, EngineErrorCode.stepNotWaiting,
          EngineErrorCode.stepUnknown,
        ])
    case .rewindSaga:
      .verb(
        .rewind, "Rewind a saga to a step",
        refuses: [
          EngineErrorCode.sagaPivotPassed, EngineErrorCode.sagaRewinding, EngineErrorCode.sagaTurningBack,
          EngineErrorCode.stepNotRewindable, EngineErrorCode.stepUnknown,
        ])
    case .listTurns:
      .get(.view, "/v1/concurrency", "List keys, their holders and their waiters", query: ["key", "cursor", "limit"])
    case .listTasks:
      .get(.view, "/v1/tasks", "List queues and tasks", query: ["queue", "limit"])
    case .pollTasks:
      .post(
        .work, "/v1/tasks/{queue}/poll", "Take tasks from a queue", body: .object,
        refuses: [EngineErrorCode.taskTooManyPolls])
    case .completeTask:
      .post(
        .work, "/v1/tasks/{task}/complete", "Complete a task", body: .object,
        refuses: Self.refusalsOfTasks + [EngineErrorCode.eventTooLarge, EngineErrorCode.sagaTooLarge])
    case .failTask:
      .post(
        .work, "/v1/tasks/{task}/fail", "Fail a task", body: .object,
        refuses: Self.refusalsOfTasks + [EngineErrorCode.eventTooLarge, EngineErrorCode.sagaTooLarge])
    case .heartbeatTask:
      .post(
        .work, "/v1/tasks/{task}/heartbeat", "Keep a task", body: .object,
        refuses: Self.refusalsOfTasks + [EngineErrorCode.eventTooLarge, EngineErrorCode.sagaTooLarge])
    case .migrateSaga:
      .verb(
        .migrate, "Migrate a saga to another version of its workflow",
        refuses: [
          EngineErrorCode.sagaAlreadyOnVersion, EngineErrorCode.sagaNotMovable, EngineErrorCode.sagaRewinding,
          EngineErrorCode.workflowDraftsOff, EngineErrorCode.workflowNotFound,
        ])
    case .forgetSaga:
      .post(
        .administer, "/v1/sagas/{id}/forget", "Forget a saga's sensitive values", headers: RouteFacts.whoAndKey,
        body: .object,
        refuses: [EngineErrorCode.sagaNotEnded, EngineErrorCode.sagaNotSealed, EngineErrorCode.sagaReasonMissing])
    case .getStats:
      .get(.view, "/v1/stats", "Count sagas by status")
    case .getProjections:
      .get(.view, "/v1/projections", "Show how far the lists are behind")
    case .rebuildProjections:
      .post(
        .administer, "/v1/projections/rebuild", "Rebuild the tables that lists are read from", headers: RouteFacts.who,
        body: .optionalObject, answers: [202])
    case .getEcho:
      .get(.view, "/v1/echo", "Show the state of the echo to Kafka", refuses: [ServerErrorCode.echoOff])
    case .rewindEcho:
      .post(
        .administer, "/v1/echo/rewind", "Send events to Kafka again", headers: RouteFacts.who, body: .object,
        answers: [202],
        refuses: [ServerErrorCode.echoOff, StreamingErrorCode.echoRewindInvalid, EngineErrorCode.sagaReasonMissing])
    case .getNotices:
      .get(.view, "/v1/notices", "Show the destinations of notices")
    case .testNotices:
      .post(
        .operate, "/v1/notices/test", "Send a test notice", headers: RouteFacts.who, body: .object,
        refuses: [EngineErrorCode.noticeDestinationUnknown])
    case .resendNotices:
      .post(
        .operate, "/v1/notices/resend", "Send failed notices again", headers: RouteFacts.who, body: .object,
        refuses: [EngineErrorCode.noticeDestinationUnknown, EngineErrorCode.noticeUnknown])
    case .streamEvents:
      .get(
        .view, "/v1/events", "Stream events as they happen", query: ["saga", "workflow", "status"],
        headers: ["Last-Event-ID"],
        refuses: [ServerErrorCode.liveFull])
    case .whoAmI:
      .get(.signedIn, "/v1/me", "Show who the caller is", needsEngine: false)
    case .signIn:
      .post(
        .open, "/v1/session", "Sign in with a key", body: .object, needsEngine: false,
        refuses: ServerErrorCode.ofCredentials)
    case .showSignIn:
      .get(.open, "/v1/session", "Show how to sign in", needsEngine: false)
    case .signOut:
      .post(.open, "/v1/session/end", "Sign out", body: .optionalObject, needsEngine: false)
    case .beginSignIn:
      .post(
        .open, "/v1/session/provider", "Begin to sign in at the OpenID provider", body: .optionalObject,
        needsEngine: false, refuses: [ServerErrorCode.providerOff, ServerErrorCode.providerUnavailable])
    case .finishSignIn:
      .post(
        .open, "/v1/session/provider/finish", "Finish the sign-in at the OpenID provider", body: .object,
        needsEngine: false,
        refuses: [
          ServerErrorCode.providerOff, ServerErrorCode.providerUnavailable, ServerErrorCode.roleMissing,
          ServerErrorCode.signInFailed,
        ])
    case .getHealth:
      .get(.open, "/healthz", "Check that the process is alive", needsEngine: false)
    case .getReadiness:
      .get(
        .open, "/readyz", "Check that the engine takes requests",
        refuses: [
          EngineErrorCode.engineDraining, EngineErrorCode.engineNotReady, StoreErrorCode.notOwner,
          StoreErrorCode.unavailable,
        ])
    case .getMetrics:
      .get(.view, "/metrics", "Show metrics", needsEngine: false)
    case .getOpenAPI:
      .get(.open, "/openapi.json", "Show this description", needsEngine: false)
    case .listActs:
      .get(
        .view, "/v1/audit", "List what people did",
        query: ["saga", "by", "actor", "verb", "from", "to", "sort", "cursor", "limit"])
    case .auditHead:
      .get(.view, "/v1/audit/head", "Show the heads of the audit chains")
    case .verifyAudit:
      .post(
        .view, "/v1/audit/verify", "Verify the audit chains", body: .object,
        refuses: [
          AuditErrorCode.headUnreadable, AuditErrorCode.headUnsigned, AuditErrorCode.otherKey,
          AuditErrorCode.otherStore, EngineErrorCode.auditRunning, AuditErrorCode.signatureWrong,
          EngineErrorCode.auditTooLarge,
        ])
    case .listOperations:
      .get(.view, "/v1/operations", "List operations", query: ["status", "cursor", "limit"])
    case .beginOperation:
      .post(
        .operate, "/v1/operations", "Start an operation on many sagas", headers: RouteFacts.whoAndKey, body: .object,
        answers: [200, 202],
        refuses: [
          EngineErrorCode.commandReused, EngineErrorCode.operationBehind, EngineErrorCode.operationChanged,
          EngineErrorCode.operationEmpty, EngineErrorCode.operationNameless, EngineErrorCode.operationTooMany,
          ServerErrorCode.parameterInvalid, EngineErrorCode.sagaReasonMissing,
        ])
    case .getOperation:
      .get(.view, "/v1/operations/{id}", "Show an operation")
    case .listOperationSagas:
      .get(.view, "/v1/operations/{id}/sagas", "List an operation's sagas", query: ["outcome", "cursor", "limit"])
    case .approveOperation:
      .post(
        .approve, "/v1/operations/{id}/approve", "Approve an operation", headers: RouteFacts.who, body: .object,
        refuses: [
          EngineErrorCode.operationNameless, EngineErrorCode.operationNotWaiting, EngineErrorCode.operationSamePerson,
          EngineErrorCode.sagaReasonMissing,
        ])
    case .declineOperation:
      .post(
        .decline, "/v1/operations/{id}/decline", "Decline an operation", headers: RouteFacts.who, body: .object,
        refuses: [EngineErrorCode.operationNotWaiting, EngineErrorCode.sagaReasonMissing])
    case .stopOperation:
      .post(
        .operate, "/v1/operations/{id}/stop", "Stop an operation", headers: RouteFacts.who, body: .object,
        refuses: [EngineErrorCode.operationEnded, EngineErrorCode.sagaReasonMissing])
    case .consolePage: .page("/", takesAnyQuery: true)
    case .consoleFile: .page("/console/{file}")
    case .errorIndex: .page("/errors")
    case .errorPage: .page("/errors/{code}")
    case .schemaFile: .page("/schema/{file}")
    case .eventSchemaFile: .page("/schema/events/{file}")
    }
  }
}
