import JSON
import Values
import Workflows

// The start of a saga: the version of its workflow, its input, its deadline, its title and labels, and the person who
// requested it.

/// The start of a saga.
public struct SagaStart: Sendable, Hashable {
  public let id: UniqueID
  public let workflow: String
  /// The version on which the saga starts; below zero for a draft.
  public let version: Int
  /// SHA-256 of the definition, in hexadecimal. It proves which definition the saga runs on.
  public let definitionDigest: String
  /// Ids of the definition's steps, in its order.
  public let steps: [String]
  public let input: JSON
  public let deadline: Timestamp
  public let idempotencyKey: String?
  public let tags: [String]
  public let by: String
  /// The way that the start came: `rest 10.0.0.7`, `kafka saga.commands`. Older events lack it.
  public let from: String?
  /// What people see first of the saga. Nil when the workflow has no title, when the title could not be made, and in
  /// older events.
  public private(set) var title: String?
  /// What people find the saga by. A label that could not be made is not among them.
  public private(set) var labels: [Label]
  /// The saga that started this one; nil for a saga without a parent, and in older events.
  public let parent: ParentLink?
  /// Whether the sensitive values of the saga are sealed with a key of its own.
  public internal(set) var isSealed = false

  public init(
    id: UniqueID, workflow: String, version: Int, definitionDigest: String, steps: [String], input: JSON,
    deadline: Timestamp, idempotencyKey: String?, tags: [String], by: String, from: String? = nil,
    title: String? = nil, labels: [Label] = [], parent: ParentLink? = nil
  ) {
    self.id = id
    self.workflow = workflow
    self.version = version
    self.definitionDigest = definitionDigest
    self.steps = steps
    self.input = input
    self.deadline = deadline
    self.idempotencyKey = idempotencyKey
    self.tags = tags
    self.by = by
    self.from = from
    self.title = title
    self.labels = labels
    self.parent = parent
  }
}

/// The definition that a saga follows: one version of its workflow.
public struct SagaDefinition: Sendable, Hashable {
  public let workflow: String
  /// Below zero for a draft: -3 is draft 3.
  public let version: Int
  /// SHA-256 of the definition, in hexadecimal.
  public let digest: String
  /// Ids of the definition's steps, in its order.
  public let steps: [String]

  public init(workflow: String, version: Int, digest: String, steps: [String]) {
    self.workflow = workflow
    self.version = version
    self.digest = digest
    self.steps = steps
  }
}

extension SagaStart {
  /// The definition on which the saga started.
  public var definition: SagaDefinition {
    SagaDefinition(workflow: workflow, version: version, digest: definitionDigest, steps: steps)
  }
}

// MARK: Title and labels

extension SagaStart {
  /// Returns the start with the title and the labels that the workflow gives it. They read `input` and `saga`.
  ///
  /// A text that can't be made, and one without a visible character, is left out: a saga never fails because of its
  /// title.
  /// - Parameter meter: counts the work. All texts share its budget.
  func titled(by definition: WorkflowDefinition, at now: Timestamp, _ meter: Meter) -> SagaStart {
    guard definition.title != nil || !definition.labels.isEmpty else { return self }
    let document = SagaState(start: self, at: now).document(reading: .none)
    func text(_ template: TextTemplate) -> String? {
      do throws(ExpressionError) { return try template.render(in: document, meter: meter) } catch { return nil }
    }
    var start = self
    start.title = definition.title.flatMap(text).flatMap(ShownLine.title)
    start.labels = definition.labels.compactMap { label in
      text(label.value).flatMap(ShownLine.label).map { Label(label.name, $0) }
    }
    return start
  }
}

public struct SagaStarted: SagaEventContent {
  public static let typeName = "sagaStarted"
  public let saga: SagaStart

  public init(_ saga: SagaStart) { self.saga = saga }

  public static func read(_ data: EventReader) throws(UnreadableEvent) -> Self {
    Self(try SagaStart(data.nested("saga")))
  }

  public func write(to data: inout JSONObject) { data["saga"] = saga.json }

  public func apply(to saga: inout SagaState, at: Timestamp) throws(HistoryError) {
    throw HistoryError("A saga starts once.")
  }

  public var timeline: [TimelineNote] { [.mark("started", by: saga.by)] }

  public static func audited(_ data: JSON) -> AuditedAct? {
    let saga = data["saga"] ?? .null
    // A step of its parent started a child, not a person.
    if saga["parent"] != nil { return nil }
    return AuditedAct(
      .start, "start", act: saga,
      content: ["workflow", "version", "definition", "input", "tags"].map { ($0, saga[$0]) }
        + [("key", saga["idempotencyKey"])])
  }
}

extension SagaStart {
  var json: JSON {
    var members: JSONObject = [
      "id": .string(id.description), "workflow": .string(workflow), "version": .int(version),
      "definition": .string(definitionDigest), "steps": .strings(steps), "input": input,
      "deadline": .timestamp(deadline), "by": .string(by),
    ]
    members["idempotencyKey"] = idempotencyKey.map(JSON.string)
    members["from"] = from.map(JSON.string)
    if !tags.isEmpty { members["tags"] = .strings(tags) }
    members["title"] = title.map(JSON.string)
    if !labels.isEmpty { members["labels"] = .labels(labels) }
    members["parent"] = parent?.json
    if isSealed { members["sealed"] = true }
    return .object(members)
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    guard let id = UniqueID(try data.string("id")) else { throw data.unreadable("id") }
    self.init(
      id: id, workflow: try data.string("workflow"), version: try data.int("version"),
      definitionDigest: try data.string("definition"), steps: try data.strings("steps"), input: try data.value("input"),
      deadline: try data.timestamp("deadline"), idempotencyKey: data.optionalString("idempotencyKey"),
      tags: data.has("tags") ? try data.strings("tags") : [], by: try data.string("by"),
      from: data.optionalString("from"), title: data.optionalString("title"),
      labels: try data.optional("labels", "an object of strings", \.labelsValue) ?? [],
      parent: try data.optional("parent").map(ParentLink.read))
    isSealed = data.flag("sealed")
  }

  /// Returns the start of a saga whose sensitive values are sealed.
  package var sealed: SagaStart {
    var start = self
    start.isSealed = true
    return start
  }
}
