import JSON

/// Finds where a value that a schema declares as sensitive would be shown or compared: in a key, a title, a label or a path.
/// The engine seals what is stored, and these texts are for reading and searching.
struct SensitiveCheck {
  let definition: WorkflowDefinition
  let report: Report

  func check() {
    for (pointer, schema) in definition.schemas {
      guard let reference = schema.obstacleToSealing else { continue }
      report.error(
        WorkflowErrorCode.sensitiveUnknown,
        "the schema declares a field as \"sensitive\" and refers to \"\(reference)\": the engine finds sensitive fields only "
          + "in this schema and over references inside it, as \"#/$defs/NAME\"", at: pointer, .name)
    }
    guard definition.hasSensitiveParts else { return }
    let root = JSONPointer.root
    if let title = definition.title { warn(title.referencedQueries, "\"title\"", at: root.appending("title")) }
    for label in definition.labels {
      warn(
        label.value.referencedQueries, "the label \(label.name)",
        at: root.appending("labels").appending(.name(label.name)))
    }
    if let concurrency = definition.concurrency {
      refuse(concurrency.key.referencedQueries, "the key of \"concurrency\"", at: root.appending("concurrency"))
    }
    for step in definition.steps { check(step) }
  }

  private func check(_ step: Step) {
    if let concurrency = step.concurrency {
      refuse(
        concurrency.key.referencedQueries, "the key of \"concurrency\"", at: step.pointer.appending("concurrency"), step
      )
    }
    if let key = step.forEach?.key {
      refuse(key.referencedQueries, "the key of \"forEach\"", at: step.pointer.appending("forEach"), step)
    }
    check(step.action, of: step, at: step.pointer)
    if let undo = step.undo { check(undo.action, of: step, at: step.pointer.appending("compensation")) }
  }

  private func check(_ action: Action, of step: Step, at pointer: JSONPointer) {
    switch action {
    case .http(let call):
      let queries = call.path.referencedQueries + call.query.flatMap { $0.value.referencedQueries }
      warn(queries, "the address of a call", at: pointer.appending("http"), step)
    case .workflow(let child):
      if let key = child.key {
        refuse(key.referencedQueries, "the key of a child", at: pointer.appending("workflow"), step)
      }
    case .kafka, .task, .signal, .delay, .fail, .group: break
    }
  }

  private func refuse(_ queries: [ReferencedQuery], _ what: String, at pointer: JSONPointer, _ step: Step? = nil) {
    guard let query = queries.first(where: { isSensitive($0, step) }) else { return }
    report.error(
      WorkflowErrorCode.sensitiveKey,
      "\(what) reads \(query.text), which a schema declares as \"sensitive\": a key is stored and shown as it is. Use a value "
        + "that names no person, such as a number of the case", at: pointer, .name)
  }

  private func warn(_ queries: [ReferencedQuery], _ what: String, at pointer: JSONPointer, _ step: Step? = nil) {
    guard let query = queries.first(where: { isSensitive($0, step) }) else { return }
    report.warning(
      WorkflowErrorCode.sensitiveShown,
      "\(what) reads \(query.text), which a schema declares as \"sensitive\": people see •••, and a service may log the "
        + "addresses of its calls", at: pointer, .name)
  }

  // MARK: What a query reads

  /// - Parameter step: the step that reads. Its item is a part of what its `forEach` reads.
  private func isSensitive(_ query: ReferencedQuery, _ step: Step?) -> Bool {
    var path = Self.path(of: query)
    guard let root = path.first else { return definition.hasSensitiveParts }
    path.removeFirst()
    if let forEach = step?.forEach, root == forEach.name {
      return forEach.items.referencedQueries.contains { isSensitive(Self.path(of: $0) + [nil] + path) }
    }
    return isSensitive([root] + path)
  }

  private func isSensitive(_ path: [String?]) -> Bool {
    switch path.first {
    case "input": return definition.inputSchema?.isSensitive(Array(path.dropFirst())) ?? false
    case "steps":
      // The body of a signal is the output of the step that waited for it.
      guard path.count > 2, let id = path[1], path[2] == "output",
        case .signal(let signal)? = definition.steps.first(where: { $0.id == id })?.action
      else { return false }
      return signal.schema?.isSensitive(Array(path.dropFirst(3))) ?? false
    default: return false
    }
  }

  /// Returns the names that a query reads from the root; nil for an element of a list.
  private static func path(of query: ReferencedQuery) -> [String?] {
    let path = query.leadingTokens.map { token -> String? in
      if case .name(let name) = token { name } else { nil }
    }
    guard !query.isSingular, let member = query.memberOfEach else { return path }
    return path + [nil, member]
  }
}
