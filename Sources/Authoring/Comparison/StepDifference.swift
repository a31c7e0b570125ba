import JSON
import Values
import Workflows

/// Finds the differences of one step in two versions of a workflow. Settings are compared with their defaults filled in,
/// so another way to write the same setting changes nothing.
struct StepDifference {
  private(set) var changes: [Change] = []

  /// - Parameters:
  ///   - file: the step in the file of the first version.
  ///   - fileNow: the step in the file of the second version.
  init(_ before: Step, _ after: Step, file: JSONObject, fileNow: JSONObject) {
    if Set(before.dependsOn) != Set(after.dependsOn) {
      changes.append(
        Change(
          "order", Self.names(before.dependsOn), Self.names(after.dependsOn),
          says: "\(Self.place(after.dependsOn)) instead of \(Self.past(before.dependsOn))"))
    }
    compare(before.action, after.action, as: "", file, fileNow)
    compare(Self.settings(of: before), Self.settings(of: after), as: "")
    compare(before.compensation, after.compensation, file, fileNow)
    let known = Set([before.action.kind, after.action.kind] + Self.settled)
    var rest = ValueDifference()
    rest.compare(file, fileNow, as: "", without: known)
    changes += rest.changes
  }

  /// The members that are compared by their meaning. `steps` are the members of a group, which are steps of their own.
  private static let settled = [
    "id", "description", "dependsOn", "when", "timeout", "expected", "retry", "compensation", "pivot", "onFailure",
    "steps",
  ]

  /// Returns where a step comes in the order.
  static func place(_ dependsOn: [String]) -> String {
    dependsOn.isEmpty ? "starts at once" : "follows \(dependsOn.joined(separator: ", "))"
  }

  private static func past(_ dependsOn: [String]) -> String {
    dependsOn.isEmpty ? "starting at once" : dependsOn.joined(separator: ", ")
  }

  private static func names(_ names: [String]) -> JSON { .array(names.map { .string($0) }) }

  private mutating func compare(_ before: JSON?, _ after: JSON?, as part: String) {
    var difference = ValueDifference()
    difference.compare(before, after, as: part)
    changes += difference.changes
  }

  // MARK: Actions

  /// - Parameters:
  ///   - part: the name of the object that has the action; empty for the step itself.
  ///   - file: the members of that object.
  private mutating func compare(
    _ before: Action, _ after: Action, as part: String, _ file: JSONObject, _ fileNow: JSONObject
  ) {
    guard before != after else { return }
    let (kind, kindNow) = (before.kind, after.kind)
    guard kind == kindNow else {
      changes.append(
        Change(
          ValueDifference.member("action", of: part), .string(kind), .string(kindNow), says: "\(kind) → \(kindNow)"))
      return
    }
    let name = ValueDifference.member(kind, of: part)
    let (members, membersNow) = (file[kind]?.objectValue ?? [:], fileNow[kind]?.objectValue ?? [:])
    var difference = ValueDifference()
    // The schema is compared by what it asks of the data.
    difference.compare(members, membersNow, as: name, without: ["schema"])
    var schemas = SchemaDifference()
    schemas.compare(members["schema"], membersNow["schema"], as: "\(kind) body")
    changes += difference.changes + schemas.changes
  }

  private mutating func compare(
    _ before: Compensation, _ after: Compensation, _ file: JSONObject, _ fileNow: JSONObject
  ) {
    switch (before, after) {
    case (.undo(let before), .undo(let after)):
      compare(
        before.action, after.action, as: "compensation", file["compensation"]?.objectValue ?? [:],
        fileNow["compensation"]?.objectValue ?? [:])
      compare(Self.settings(of: before), Self.settings(of: after), as: "compensation")
    case (.undo, .none), (.undo, .unspecified), (.none, .undo), (.unspecified, .undo), (.none, .unspecified),
      (.unspecified, .none):
      changes.append(Change("compensation", file["compensation"], fileNow["compensation"]))
    case (.none, .none), (.unspecified, .unspecified): break
    }
  }

  // MARK: Settings

  private static func settings(of step: Step) -> JSON {
    var members: JSONObject = [:]
    members["description"] = step.description.map { .string($0) }
    members["group"] = step.group.map { .string($0) }
    members["when"] = step.when.map { .string($0.text) }
    members["timeout"] = duration(step.timeout)
    members["expected"] = duration(step.expected)
    members["retry"] = json(step.retry)
    members["pivot"] = .bool(step.pivot)
    members["onFailure"] = .string(step.onFailure.rawValue)
    return .object(members)
  }

  private static func settings(of undo: Undo) -> JSON {
    var members: JSONObject = [:]
    members["timeout"] = duration(undo.timeout)
    members["expected"] = duration(undo.expected)
    members["retry"] = json(undo.retry)
    members["appliesTo"] = .string(undo.appliesTo.map(\.rawValue).sorted().joined(separator: ", "))
    members["remind"] = undo.remind.map { remind in
      var members: JSONObject = [:]
      members["after"] = duration(remind.after)
      members["every"] = duration(remind.every)
      return .object(members)
    }
    members["onFailure"] = .string(undo.onFailure.rawValue)
    return .object(members)
  }

  static func duration(_ duration: Duration?) -> JSON? { duration.map { .string(DurationText.format($0)) } }

  /// Returns one policy as an object, and several as a list.
  private static func json(_ rules: RetryRules) -> JSON {
    let policies = rules.policies + (rules.policies.contains { $0.on == nil } ? [] : [rules.fallback])
    return policies.count == 1 ? json(policies[0]) : .array(policies.map(json))
  }

  private static func json(_ policy: RetryPolicy) -> JSON {
    var members: JSONObject = [:]
    members["on"] = policy.on.map(names)
    members["maxAttempts"] = .int(policy.maxAttempts)
    members["initialInterval"] = duration(policy.initialInterval)
    members["backoffCoefficient"] = .number(JSONNumber(policy.backoffCoefficient))
    members["maxInterval"] = duration(policy.maxInterval)
    members["jitter"] = .number(JSONNumber(policy.jitter))
    if !policy.nonRetryable.isEmpty { members["nonRetryable"] = .string(policy.nonRetryable.joined(separator: ", ")) }
    return .object(members)
  }
}
