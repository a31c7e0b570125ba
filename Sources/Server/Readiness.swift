import HTTP
import JSON
import Messaging
import Persistence
import Runtime
import Streaming
import Values
import Wire
import WorkflowEngine

/// Whether a ready engine does all that it should. A store that takes no writes makes it not ready. A fault between the
/// engine and Kafka stops no saga, so the engine goes on taking requests, and says what is amiss.
struct Readiness {
  struct Reason: Hashable {
    let code: String
    let message: String
  }

  /// How far behind the echo may be before somebody should look.
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

  /// What `/readyz` answers when commands can't be carried out.
  var problem: Problem? {
    unwritable.map { why in
      var problem = Refusals.problem(why.code, why.message)
      problem.members["reasons"] = json["reasons"]
      return problem
    }
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
      return [Reason(code: ServerErrorCode.echoHeld, message: "The echo to \(echo.topic) is held up\(why)")]
    case .current, .catchingUp:
      guard echo.lag > mostBehind else { return [] }
      return [Reason(code: ServerErrorCode.echoBehind, message: "The echo to \(echo.topic) is behind: \(behind).")]
    }
  }

  /// How long somebody may not be told before that is a reason.
  static let longestUntold = Duration.seconds(300)

  static func reasons(of notices: [NoticeStatus], at now: Timestamp) -> [Reason] {
    notices.compactMap { notice in
      let why = notice.problem.map { " (\($0.code)): \($0.message)" } ?? "."
      switch notice.state {
      case .gone:
        return Reason(
          code: EngineErrorCode.noticeGone,
          message: "\(notice.name) wants no more notices, and is told nothing\(why)")
      case .failing:
        guard let since = notice.failingSince, now - since > longestUntold else { return nil }
        return Reason(
          code: ServerErrorCode.noticeFailing,
          message: "Notices to \(notice.name) are not delivered since \(since)\(why)")
      case .current, .delivering: return nil
      }
    }
  }

  static func reasons(of consumers: [ConsumerStatus]) -> [Reason] {
    consumers.compactMap { consumer in
      consumer.problem.map { problem in
        Reason(
          code: ServerErrorCode.consumerFailing,
          message: "The consumer of \(consumer.topics.joined(separator: ", ")) doesn't get on: \(problem)")
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
  /// How the engine stands with its store, with Kafka, and with those who are told. What can't be found out is a reason
  /// too.
  func readiness() async -> Readiness {
    let unwritable = Readiness.unwritable(engine.storeHealth)
    // The others are read from the store that does not answer: they would only keep this answer waiting.
    if unwritable != nil { return Readiness(unwritable: unwritable) }
    return Readiness(reasons: heldReasons + (await kafkaReadiness().reasons) + (await noticeReasons()))
  }

  /// Sagas that wait for an operator because processes died of them.
  private var heldReasons: [Readiness.Reason] {
    let held = engine.held
    guard let first = held.first else { return [] }
    let others = held.count > 1 ? " and \(held.count - 1) more" : ""
    return [
      Readiness.Reason(
        code: EngineErrorCode.sagaHeld,
        message: "Held back, because processes died while they computed them: saga \(first.id)\(others).")
    ]
  }

  /// What keeps notices from those who are to be told.
  private func noticeReasons() async -> [Readiness.Reason] {
    guard let notices else { return [] }
    do {
      return Readiness.reasons(of: try await answerInTime { try await notices.status() }, at: environment.now())
    } catch {
      log.error("The status of notices could not be read", ("error", "\(error)"))
      return [Self.unreadable("How notices stand could not be read", error)]
    }
  }

  private static func unreadable(_ what: String, _ error: any Error) -> Readiness.Reason {
    let known = error as? any CodedError
    return Readiness.Reason(
      code: known?.code ?? HTTPErrorCode.internalError,
      message: "\(what): \(known?.message ?? "the server's log says why.")")
  }

  private func kafkaReadiness() async -> Readiness {
    guard let kafka else { return Readiness() }
    do {
      return Readiness(echo: try await answerInTime { try await kafka.echo.status() }, consumers: kafka.consumers)
    } catch {
      log.error("The echo's status could not be read", ("error", "\(error)"))
      let reason = Self.unreadable("How the echo stands could not be read", error)
      return Readiness(reasons: [reason] + Readiness.reasons(of: kafka.consumers))
    }
  }
}
