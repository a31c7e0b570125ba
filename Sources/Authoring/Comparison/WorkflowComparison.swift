import JSON
import Values
public import Workflows

/// What changed between two versions of a workflow.
public struct WorkflowComparison: Sendable {
  /// A step that both versions have, with its differences.
  public struct ChangedStep: Sendable, Hashable {
    public let id: String
    public let changes: [Change]
  }

  public let before: WorkflowDefinition
  public let after: WorkflowDefinition
  /// The changes of the workflow as a whole: its timeout, its input, its output.
  public let changes: [Change]
  /// The steps that only the second version has, in the order of its file.
  public let added: [Step]
  /// The steps that only the first version has, in the order of its file.
  public let removed: [Step]
  /// In the order of the second file.
  public let changed: [ChangedStep]
  /// Which running sagas could move.
  public let rule: MoveRule
  /// Whether the second version checks the input by another schema. A saga could move only when its input meets it.
  public let checksInput: Bool

  public init(from before: WorkflowDefinition, to after: WorkflowDefinition) {
    self.before = before
    self.after = after
    rule = MoveRule(from: before, to: after)
    checksInput = after.inputSchema != nil && after.inputSchema != before.inputSchema
    changes = Self.changes(before, after)
    added = after.steps.filter { before.step($0.id) == nil }
    removed = before.steps.filter { after.step($0.id) == nil }
    let (file, fileNow) = (Self.steps(in: before.source), Self.steps(in: after.source))
    changed = after.steps.compactMap { now in
      guard let step = before.step(now.id) else { return nil }
      let difference = StepDifference(step, now, file: file[now.id] ?? [:], fileNow: fileNow[now.id] ?? [:])
      return difference.changes.isEmpty ? nil : ChangedStep(id: now.id, changes: difference.changes)
    }
  }

  /// Whether both versions do the same.
  public var isSame: Bool { changes.isEmpty && added.isEmpty && removed.isEmpty && changed.isEmpty }

  /// The members of the file that are compared by their meaning, or that only name the file.
  private static let settled: Set = [
    "$schema", "version", "description", "owner", "timeout", "inputSchema", "defaults", "steps", "output",
  ]

  private static func changes(_ before: WorkflowDefinition, _ after: WorkflowDefinition) -> [Change] {
    var values = ValueDifference()
    values.compare(settings(of: before), settings(of: after), as: "")
    values.compare(
      before.source.objectValue ?? [:], after.source.objectValue ?? [:], as: "", without: settled)
    var schemas = SchemaDifference()
    schemas.compare(before.inputSchema?.source, after.inputSchema?.source, as: "input")
    var output = ValueDifference()
    output.compare(before.output?.source, after.output?.source, as: "output")
    return values.changes + schemas.changes + output.changes
  }

  private static func settings(of definition: WorkflowDefinition) -> JSON {
    var members: JSONObject = [:]
    members["description"] = definition.description.map { .string($0) }
    members["owner"] = definition.owner.map { .string($0) }
    members["timeout"] = StepDifference.duration(definition.timeout)
    return .object(members)
  }

  /// Returns the steps of a file by id, those inside other steps too.
  private static func steps(in file: JSON) -> [String: JSONObject] {
    var found: [String: JSONObject] = [:]
    var waiting = file["steps"]?.arrayValue ?? []
    while let step = waiting.popLast() {
      guard let members = step.objectValue else { continue }
      if let id = members["id"]?.stringValue { found[id] = members }
      waiting += members["steps"]?.arrayValue ?? []
    }
    return found
  }
}

extension WorkflowComparison {
  /// The comparison as JSON.
  public var json: JSON {
    func version(_ definition: WorkflowDefinition) -> JSON {
      ["name": .string(definition.name), "version": .int(definition.version)]
    }
    let steps =
      removed.map { ["step": .string($0.id), "change": "removed"] as JSON }
      + added.map {
        ["step": .string($0.id), "change": "added", "dependsOn": .array($0.dependsOn.map { .string($0) })] as JSON
      }
      + changed.map {
        ["step": .string($0.id), "change": "changed", "changes": .array($0.changes.map(\.json))] as JSON
      }
    func obstacles(_ obstacles: [MoveRule.Obstacle]) -> JSON {
      .array(obstacles.map { ["step": .string($0.step), "reason": .string($0.reason)] })
    }
    return [
      "before": version(before), "after": version(after), "same": .bool(isSame),
      "workflow": .array(changes.map(\.json)), "steps": .array(steps),
      "move": [
        "sameWorkflow": .bool(rule.isSameWorkflow), "inputMustMeetSchema": .bool(checksInput),
        "unlessBegun": obstacles(rule.firstObstacles), "unlessOver": obstacles(rule.grownGroups),
      ],
    ]
  }
}
