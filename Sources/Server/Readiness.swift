import HTTP
import JSON
import Messaging
import Notifications
import Persistence
import Runtime
import SagaCore
import Streaming
import Values
import Wire
import WorkflowEngine

/// Whether a ready engine works completely. A store that takes no writes makes it not ready. A fault between the engine
/// and Kafka stops no saga, so the engine still takes requests and reports the fault.
struct Readiness {
  struct Reason: Hashable {
    let code: String
    let message: String
  }

  /// The longest lag of the echo that is not a reason.
  static let mostBehind = Duration.seconds(60)

  let reasons: [Reason]
  /// Why commands can't be carried out; the first of `reasons`. Nil when they can.
  let unwritable: Reason?
  var isDegraded: Bool { !reasons.isEmpty }

  /// - Parameter unwritable: why the store takes no writes; nil when it does.
  init(reasons: [Reason] = [], unwritable: Reason? = nil) {
    self.reasons = (unwritable.map { [$0] } ?? []) + reasons
    self.unwritable = unwritable
  }

  static func unwritable(_ health: StoreHealth) -> Reason? {
    health.problem.map { problem in
      Reason(
        code: problem.code, message: "The store has taken no writes since \(problem.since): \(problem.message)")
    }
  }

  /// The answer of `/readyz` when commands can't be carried out.
  var problem: Problem? {
    unwritable.map { why in
      var problem = Refusals.problem(why.code, why.message)
      problem.members["reasons"] = json["reasons"]
      return problem
    }
  }

  /// The same without what the messages tell about the laboratory, for a caller who may not see it.
  var withoutDetails: Readiness {
    func bare(_ reason: Reason) -> Reason {
      Reason(code: reason.code, message: "See /errors/\(reason.code). A caller with the role viewer reads more here.")
    }
    return Readiness(bare: reasons.map(bare), unwritable: unwritable.map(bare))
  }

  private init(bare reasons: [Reason], unwritable: Reason?) {
    self.reasons = reasons
    self.unwritable = unwritable
  }

  init(echo: EchoStatus, consumers: [ConsumerStatus]) {
    self.init(reasons: Self.reasons(of: echo) + Self.reasons(of: consumers))
  }

  static func reasons(of echo: EchoStatus) -> [Reason] {
    let events = "\(echo.lagEvents) event\(echo.lagEvents == 1 ? "" : "s")"
    let behind = "the oldest of \(events) has waited for \(echo.lag.components.seconds) s"
    switch echo.state {
    case .held:
      let why = echo.problem.map { " (\($0.code)): \($0.message)" } ?? "."
      return [Reason(code: ServerErrorCode.echoHeld, message: "The echo to \(echo.topic) is blocked\(why)")]
    case .current, .catchingUp:
      guard echo.lag > mostBehind else { return [] }
      return [Reason(code: ServerErrorCode.echoBehind, message: "The echo to \(echo.topic) is behind: \(behind).")]
    }
  }

  /// The longest time that deliveries may fail before that is a reason.
  static let longestUntold = Duration.seconds(300)

  static func reasons(of notices: [NoticeStatus], at now: Timestamp) -> [Reason] {
    notices.compactMap { notice in
      let why = notice.problem.map { " (\($0.code)): \($0.message)" } ?? "."
      switch notice.state {
      case .gone:
        return Reason(
          code: EngineErrorCode.noticeGone,
          message: "\(notice.name) accepts no more notices and gets none\(why)")
      case .failing:
        guard let since = notice.failingSince, now - since > longestUntold else { return nil }
        return Reason(
          code: ServerErrorCode.noticeFailing,
          message: "Notices to \(notice.name) have failed since \(since)\(why)")
      case .current, .delivering: return nil
      }
    }
  }

  static func reasons(of lists: ProjectionStatus) -> [Reason] {
    guard lists.isBehind else { return [] }
    let events = "\(lists.lag) event\(lists.lag == 1 ? "" : "s")"
    return [
      Reason(
        code: ServerErrorCode.listsBehind,
        message: "Lists and counts lack \(events); the oldest has waited for \(lists.waited.components.seconds) s.")
    ]
  }

  static func reasons(of consumers: [ConsumerStatus]) -> [Reason] {
    consumers.compactMap { consumer in
      consumer.problem.map { problem in
        Reason(
          code: ServerErrorCode.consumerFailing,
          message: "The consumer of \(consumer.topics.joined(separator: ", ")) makes no progress: \(problem)")
      }
    }
  }

  var json: JSON {
    ReadinessResponse(
      status: isDegraded ? "degraded" : "ready",
      reasons: reasons.map { CodeAndMessage(code: $0.code, message: $0.message) }
    ).json
  }
}

extension API {
  /// Returns the faults of the store, Kafka and the destinations of notices. A state that can't be read is a fault, too.
  func readiness() async -> Readiness {
    let unwritable = Readiness.unwritable(engine.storeHealth)
    // The other faults are read from the store that does not answer, so they would only delay this answer.
    if unwritable != nil { return Readiness(unwritable: unwritable) }
    return Readiness(
      reasons: keyReasons + certificateReasons + heldReasons + sealReasons + (await listReasons())
        + (await kafkaReadiness().reasons) + (await noticeReasons()))
  }

  /// The file of keys has changed and can't be read, or the OpenID provider can't be reached.
  private var keyReasons: [Readiness.Reason] {
    (access.authenticator?.problems ?? []).map { Readiness.Reason(code: $0.code, message: $0.message) }
  }

  /// The certificate ends soon or has ended, or its files could not be read again.
  var certificateReasons: [Readiness.Reason] {
    (certificate?.notices(at: environment.wallNow()) ?? []).map {
      Readiness.Reason(code: $0.code, message: $0.message)
    }
  }

  /// Held sagas: they wait for an operator because processes died while they computed them.
  private var heldReasons: [Readiness.Reason] {
    Self.reasons(
      EngineErrorCode.sagaHeld, "Held back, because a process ended while it computed the saga",
      engine.held.map(\.id))
  }

  /// Lists that lack events for long: sagas run, but counts and incidents are those of an earlier time.
  private func listReasons() async -> [Readiness.Reason] {
    do {
      return Readiness.reasons(of: try await answerInTime { [engine] in try await engine.projections() })
    } catch {
      log.error("Could not read how far lists are; reporting it in readiness", ("error", "\(error)"))
      return [Self.unreadable("How far lists are could not be read", error)]
    }
  }

  /// Sagas that wait for the key of their sensitive values.
  private var sealReasons: [Readiness.Reason] {
    Self.reasons(
      EngineErrorCode.sagaSealKeyMissing, "The key of the sensitive values can't be had, so the saga waits",
      engine.sagasWithoutKey)
  }

  /// Returns one reason for all these sagas, with the first of them; none without sagas.
  private static func reasons(_ code: String, _ what: String, _ sagas: [UniqueID]) -> [Readiness.Reason] {
    guard let first = sagas.first else { return [] }
    let others = sagas.count > 1 ? " and \(sagas.count - 1) more" : ""
    return [Readiness.Reason(code: code, message: "\(what): \(first)\(others).")]
  }

  /// The faults of the destinations of notices.
  private func noticeReasons() async -> [Readiness.Reason] {
    guard let notices else { return [] }
    do {
      return Readiness.reasons(of: try await answerInTime { try await notices.status() }, at: environment.now())
    } catch {
      log.error("Could not read the state of notices; reporting it in readiness", ("error", "\(error)"))
      return [Self.unreadable("The state of notices could not be read", error)]
    }
  }

  private static func unreadable(_ what: String, _ error: any Error) -> Readiness.Reason {
    let known = error as? any CodedError
    return Readiness.Reason(
      code: known?.code ?? HTTPErrorCode.internalError,
      message: "\(what): \(known?.message ?? "see the server's log.")")
  }

  private func kafkaReadiness() async -> Readiness {
    guard let kafka else { return Readiness() }
    do {
      return Readiness(echo: try await answerInTime { try await kafka.echo.status() }, consumers: kafka.consumers)
    } catch {
      log.error("Could not read the state of the echo; reporting it in readiness", ("error", "\(error)"))
      let reason = Self.unreadable("The state of the echo could not be read", error)
      return Readiness(reasons: [reason] + Readiness.reasons(of: kafka.consumers))
    }
  }
}
