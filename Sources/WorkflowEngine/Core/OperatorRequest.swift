import JSON
import Values

/// What an operator asks of a saga, with who asks and why.
public struct OperatorRequest: Sendable, Hashable {
  public let verb: OperatorVerb
  public let act: OperatorAct
  /// The last event that the operator has seen: the request is refused when another operator has acted since.
  public let expectedVersion: Int?

  public init(_ verb: OperatorVerb, by act: OperatorAct, expectedVersion: Int? = nil) {
    self.verb = verb
    // By the digest a key that comes again with something else is known.
    self.act = OperatorAct(
      by: act.by, reason: act.reason, from: act.from, commandID: act.commandID,
      commandDigest: act.commandID == nil ? nil : verb.digest)
    self.expectedVersion = expectedVersion
  }
}

/// Who acted, why, and from where: what an auditor asks of every act.
public struct OperatorAct: Sendable, Hashable {
  public let by: String
  public let reason: String
  /// The way it came: `rest 10.0.0.7`, `cli 10.0.0.7`, `kafka saga.commands`. Older events don't say.
  public let from: String?
  /// Names the request: the same one again is a repeat, and changes nothing.
  public let commandID: String?
  /// Tells what the request asked for from what another of the same name asks for.
  public let commandDigest: String?

  public init(
    by: String, reason: String, from: String? = nil, commandID: String? = nil, commandDigest: String? = nil
  ) {
    self.by = by
    self.reason = reason
    self.from = from
    self.commandID = commandID
    self.commandDigest = commandDigest
  }
}

/// What an operator can do. `docs/operating.md` says when each helps; `Verbs` which a saga takes as it stands.
public enum OperatorVerb: Sendable, Hashable {
  /// Turn back: the requester's wish.
  case cancel
  /// Turn back: the operator's judgement.
  case compensate
  /// New attempts for a step that the saga is stuck on, or for all of them. `input` is read instead of the saga's own
  /// when that step is rendered, and makes a new round.
  case retry(step: String?, input: JSON? = nil)
  case resolve(step: String, Resolution)
  case abandon
  case pause
  case resume
  /// Go on without the step. `output` is what later steps read of it.
  case skip(step: String, output: JSON?)
  /// What waits for its next attempt, or for a moment, is due at once.
  case runNow(step: String?)
  /// A later deadline: of the saga, or of a step that waits.
  case extend(step: String?, Extension)
  /// Undo a step and all that comes after it, and go on from there.
  case rewind(step: String)

  public enum Extension: Sendable, Hashable {
    case by(Duration)
    case until(Timestamp)
  }

  /// A verb by its name on the wire.
  public enum Name: String, Sendable, Hashable, CaseIterable {
    case retry, resolve, skip
    case runNow = "run-now"
    case extend, rewind, pause, resume, compensate, cancel, abandon
  }

  public var name: Name {
    switch self {
    case .cancel: .cancel
    case .compensate: .compensate
    case .retry: .retry
    case .resolve: .resolve
    case .abandon: .abandon
    case .pause: .pause
    case .resume: .resume
    case .skip: .skip
    case .runNow: .runNow
    case .extend: .extend
    case .rewind: .rewind
    }
  }

  /// Of all that the verb says.
  var digest: String {
    String(Digest.hex(json.bytes(.canonical)).prefix(16))
  }
}

extension SagaCommand {
  /// `commandID` names the message that brought it: the same one again is a repeat.
  public static func cancel(by: String, reason: String, commandID: String? = nil) -> SagaCommand {
    .operate(OperatorRequest(.cancel, by: OperatorAct(by: by, reason: reason, commandID: commandID)))
  }

  public static func retry(step: String?, by: String, reason: String) -> SagaCommand {
    .operate(OperatorRequest(.retry(step: step), by: OperatorAct(by: by, reason: reason)))
  }

  public static func resolve(step: String, _ resolution: Resolution, by: String, reason: String) -> SagaCommand {
    .operate(OperatorRequest(.resolve(step: step, resolution), by: OperatorAct(by: by, reason: reason)))
  }

  public static func abandon(by: String, reason: String) -> SagaCommand {
    .operate(OperatorRequest(.abandon, by: OperatorAct(by: by, reason: reason)))
  }
}

/// A request that was carried out, by which a repeat is known.
public struct KnownCommand: Sendable, Hashable {
  public let id: String
  public let verb: String
  /// Of what it asked for; requests of older versions have none.
  public let digest: String?
}

/// What an operator did last.
public struct LastAct: Sendable, Hashable {
  public let verb: String
  public let step: String?
  public let by: String
  public let reason: String
  public let at: Timestamp
  /// The number of its event in the saga's history.
  public let version: Int
}

extension SagaEvent {
  /// Who did it, where somebody did: the verb, and the act.
  public var operated: (verb: OperatorVerb.Name, act: OperatorAct)? {
    switch what {
    case .turnBackRequested(let reason), .turnedBack(let reason): reason.operated
    case .operatorRetried(_, _, _, let act): (.retry, act)
    case .operatorResolved(_, _, _, _, let act): (.resolve, act)
    case .operatorSkipped(_, _, _, let act): (.skip, act)
    case .operatorRanNow(_, let act): (.runNow, act)
    case .operatorExtended(_, _, let act): (.extend, act)
    case .rewindStarted(_, _, let act): (.rewind, act)
    case .sagaPaused(let act): (.pause, act)
    case .sagaResumed(let act): (.resume, act)
    case .sagaAbandoned(let act): (.abandon, act)
    case .sagaStarted, .stepSkipped, .waitStarted, .attemptStarted, .attemptFailed, .attemptNotMade, .stepProgressed,
      .answerIgnored, .stepSucceeded, .stepFailed, .signalReceived, .signalRefused, .keptSignalTaken,
      .keptSignalRefused, .turnBackLapsed,
      .undoSucceeded, .undoFailed, .rewindFinished, .stepOverdue, .sagaOverdue, .sagaCompleted, .sagaCompensated:
      nil
    }
  }
}

extension TurnBack {
  /// Whether a person turned the saga back; a step's failure and the timeout are no one's act.
  var operated: (verb: OperatorVerb.Name, act: OperatorAct)? {
    let verb: OperatorVerb.Name
    switch cause {
    case .cancelled: verb = .cancel
    case .compensate: verb = .compensate
    case .stepFailed, .timeout: return nil
    }
    return (verb, OperatorAct(by: by ?? "", reason: reason ?? "", from: from, commandID: commandID))
  }
}
