public import JSON
import Runtime
import SagaCore
public import Values

/// The types of notices.
public enum NoticeType: String, Sendable, Hashable, CaseIterable {
  /// A saga can't continue without an operator, or is stuck at one more step.
  case sagaStuck = "saga.stuck"
  /// A saga, or one of its steps, takes longer than expected.
  case sagaOverdue = "saga.overdue"
  /// An operation on many sagas waits for the approval of a second person.
  case approvalNeeded = "approval.needed"
  /// An operation on many sagas has finished.
  case operationFinished = "operation.finished"
  /// A step waits for a signal longer than its `remind` says.
  case sagaReminder = "saga.reminder"
  case sagaCompleted = "saga.completed"
  case sagaAbandoned = "saga.abandoned"
  case sagaCompensated = "saga.compensated"
  /// A saga is completed, and members of its output could not be made.
  case sagaOutputIncomplete = "saga.outputIncomplete"
  /// Sent only on request, to see whether a notice arrives. A destination cannot subscribe to it.
  case test = "notice.test"

  /// The types to which a destination can subscribe.
  public static let all: Set<NoticeType> = Set(allCases).subtracting([.test])
  /// The types that a destination gets if none are named: all types for which a person may be needed.
  public static let usual: Set<NoticeType> = all.subtracting([
    .sagaCompleted, .sagaAbandoned, .sagaCompensated,
  ])
}

/// Something that a person should know. There is one notice for each event that causes one.
public struct Notice: Sendable, Hashable {
  /// The event that caused it: its stream and its version. It is the same for every try.
  public let id: String
  public let type: NoticeType
  /// When it happened.
  public let at: Timestamp
  /// The saga or the operation that it is about. The notices of one subject are sent in order.
  public let subject: String
  /// One sentence: what happened, and why.
  public let summary: String
  /// Further members, with the names of docs/operating.md.
  public let details: JSONObject

  public init(
    id: String, type: NoticeType, at: Timestamp, subject: String, summary: String, details: JSONObject = [:]
  ) {
    self.id = id
    self.type = type
    self.at = at
    self.subject = subject
    self.summary = summary
    self.details = details
  }

  /// The notice as it is sent.
  public var data: JSON {
    var members: JSONObject = [
      "id": .string(id), "type": .string(type.rawValue), "at": .timestamp(at), "summary": .string(summary),
    ]
    for (name, value) in details { members[name] = value }
    return .object(members)
  }

  /// The body of a webhook, in the form that the Standard Webhooks specification recommends.
  public var body: JSON {
    ["type": .string(type.rawValue), "timestamp": .timestamp(at), "data": shownData]
  }

  /// The data as every destination gets it: with `•••` in place of sealed values.
  var shownData: JSON { data.replacingTexts { .string(SealedText.masked(text: $0)) } }

  /// Returns a test notice, which reports no event.
  static func test(_ environment: Environment, by: String) -> Notice {
    let id = environment.newID().description
    return Notice(
      id: "test/\(id)", type: .test, at: environment.now(), subject: id,
      summary: "A test, sent by \(by): nothing has happened.", details: ["by": .string(by)])
  }
}
