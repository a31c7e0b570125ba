/// The members of `steps.ID` in the document that expressions read. `SagaCore` fills them in.
package enum StepMember: String, Sendable, CaseIterable {
  case output, error, answer, status, outcome, by, startedAt, endedAt, key, uuid
  /// The items of a step with `forEach`, in their order.
  case items
  /// Why the output can't be read. Expressions may read it, but messages do not offer it.
  case outputError

  /// The members that messages offer.
  package static let offered = allCases.filter { $0 != .outputError }.map(\.rawValue)

  /// The members that a group has.
  package static let ofGroups: [StepMember] = [.status, .startedAt, .endedAt]

  /// The members that a step with `forEach` has.
  package static let ofForEach: [StepMember] = [.items, .error, .status, .startedAt, .endedAt]

  /// What a step must have done so that the member exists.
  package enum Presence {
    case always
    /// The step succeeded, or an operator skipped it with an output.
    case withOutput
    /// The last attempt of an `http` step got an answer.
    case withAnswer
    case afterFailure
    /// The step took a signal.
    case afterSignal
    /// The step began: its condition held.
    case afterBegin
    /// The step came to its end. It has, for every step that comes after it.
    case afterEnd
  }

  package var presence: Presence {
    switch self {
    case .status, .outcome, .key, .uuid: .always
    case .output: .withOutput
    case .answer: .withAnswer
    case .error: .afterFailure
    case .by: .afterSignal
    case .startedAt, .items: .afterBegin
    case .endedAt: .afterEnd
    case .outputError: .withOutput
    }
  }
}

/// The members of each of `steps.ID.items`.
package enum ItemMember: String, Sendable, CaseIterable {
  case key, status, output, error, item
  /// Why the item's answer can't be read. Expressions may read it, but messages do not offer it.
  case outputError

  /// The members that messages offer.
  package static let offered = allCases.filter { $0 != .outputError }.map(\.rawValue)
}

/// The members of `saga` in the document that expressions read.
package enum SagaMember: String, Sendable, CaseIterable {
  case id, key, tags, workflow, version, startedAt, startedBy
}

/// The members of `steps.ID.answer`, the last answer over HTTP to a step.
package enum AnswerMember: String, Sendable, CaseIterable {
  case status, headers
}

/// The headers of an answer that the history keeps, and that expressions can read after the step. They say where the
/// result is, which form it has, and how to find the call at the service. None of them has a secret.
package enum AnswerHeaders {
  package static let names = [
    "allow", "content-encoding", "content-type", "etag", "last-modified", "link", "location", "request-id",
    "retry-after", "x-correlation-id", "x-request-id",
  ]
}
