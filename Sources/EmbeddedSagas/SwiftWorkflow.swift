public import JSON
public import SagaCore
import Values

/// A workflow whose steps are Swift closures.
///
/// The engine stores its definition, like that of any workflow: the steps, their order, and which of them have an undo.
/// The closures belong to the program. So a change of the steps needs a new version. A program that has open sagas of
/// an earlier version passes that version too.
public struct SwiftWorkflow: Sendable {
  public let name: String
  /// From 1.
  public let version: Int
  /// The time that a saga may take before it starts compensation.
  public let timeout: Duration
  /// A JSON Schema (draft 2020-12) of the input. A start with an input that doesn't meet it throws `Refusal`
  /// `input.invalid`. Nil allows every input.
  public let inputSchema: JSON?
  public let steps: [SwiftStep]

  /// - Parameter steps: the steps in order. A step waits for the one before it, unless its `after` names others.
  public init(
    _ name: String, version: Int, timeout: Duration = .seconds(300), inputSchema: JSON? = nil, steps: [SwiftStep]
  ) {
    self.name = name
    self.version = version
    self.timeout = timeout
    self.inputSchema = inputSchema
    self.steps = steps
  }

  /// The definition as the engine stores it. A closure is an `http` action of the service `in-process`, which
  /// `ClosureExecutor` answers inside the process.
  var source: JSON {
    var members: JSONObject = [
      "name": .string(name), "version": .int(version), "timeout": .string(DurationText.format(timeout)),
    ]
    members["inputSchema"] = inputSchema
    members["steps"] = .array(steps.map(\.source))
    return .object(members)
  }
}

/// A step of a `SwiftWorkflow`: the closure that does it, and the closure that undoes it.
public struct SwiftStep: Sendable {
  /// The work of a closure. It returns the output that later steps can read.
  ///
  /// A second call with the same `StepContext.key` must not repeat the effect. The engine calls again after a crash, a
  /// timeout, or an error other than `StepRefused`.
  public typealias Body = @Sendable (StepContext) async throws -> JSON
  public typealias UndoBody = @Sendable (StepContext) async throws -> Void

  public let id: String
  let after: [String]?
  let timeout: Duration
  let maxAttempts: Int
  let isPivot: Bool
  let body: Body
  let undo: UndoBody?

  /// - Parameters:
  ///   - id: begins with a letter; then letters, digits, `_` and `-` may follow.
  ///   - after: the steps for which it waits; nil for the step before it in the workflow.
  ///   - timeout: the time for one attempt. A longer attempt has an unknown outcome.
  ///   - maxAttempts: the most attempts, the first one included.
  ///   - isPivot: whether it is a pivot. Once a pivot has succeeded, nothing is undone.
  ///   - do: does the step.
  ///   - undo: undoes it; nil when there is nothing to undo.
  public init(
    _ id: String, after: [String]? = nil, timeout: Duration = .seconds(30), maxAttempts: Int = 3,
    isPivot: Bool = false, do body: @escaping Body, undo: UndoBody? = nil
  ) {
    self.id = id
    self.after = after
    self.timeout = timeout
    self.maxAttempts = maxAttempts
    self.isPivot = isPivot
    self.body = body
    self.undo = undo
  }

  static let service = "in-process"

  fileprivate var source: JSON {
    var members: JSONObject = [
      "id": .string(id), "http": Self.action("/\(id)"), "timeout": .string(DurationText.format(timeout)),
      "retry": ["maxAttempts": .int(maxAttempts)],
    ]
    members["dependsOn"] = after.map { .array($0.map(JSON.string)) }
    if isPivot { members["pivot"] = true }
    members["compensation"] =
      undo == nil
      ? "none" : ["http": Self.action("/\(id)/undo"), "timeout": .string(DurationText.format(timeout))]
    return .object(members)
  }

  private static func action(_ path: String) -> JSON {
    ["service": .string(service), "method": "POST", "path": .string(path)]
  }
}

/// The data of its saga that a closure gets.
public struct StepContext: Sendable {
  public let saga: SagaState
  /// The step that is done or undone.
  public let step: String
  /// The idempotency key: the same for all attempts of a round, before and after a crash, and for their undo.
  public let key: String
  /// From 1.
  public let attempt: Int

  /// The saga's input.
  public var input: JSON { saga.step(step)?.input ?? saga.start.input }

  /// Returns the output of a step; nil when the step has not succeeded.
  public func output(of step: String) -> JSON? { saga.step(step)?.output }
}

/// Thrown by a closure when the step has not happened, so that the saga need not undo it.
public struct StepRefused: Error, Sendable {
  /// Dotted lower-camel words or capitals, as `freezer.full` or `QC_FAILED`.
  public let code: String
  public let message: String
  /// Whether another attempt may help.
  public let isRetryable: Bool

  public init(_ code: String, _ message: String, isRetryable: Bool = false) {
    self.code = code
    self.message = message
    self.isRetryable = isRetryable
  }
}
