import JSON
import Values

/// Checks the values that expressions read: they exist in the document, and they exist when the expression is rendered.
struct ReferenceCheck {
  let drafts: [StepDraft]
  let graph: CheckedGraph
  /// The schema of the input, as the file has it.
  let inputSchema: JSON?
  let report: Report

  private static let roots = ["input", "steps", "saga"]
  private static let answerMembers = ["status", "body", "headers"]
  /// Words of other engines for the members of an answer.
  private static let meantOfAnswer = [
    "statusCode": "status", "code": "status", "json": "body", "data": "body", "payload": "body", "content": "body",
    "output": "body", "header": "headers",
  ]
  /// Words of other engines for the members of a step.
  private static let meantMembers = [
    "result": "output", "results": "output", "outputs": "output", "response": "output", "body": "output",
    "data": "output", "payload": "output", "value": "output", "return": "output", "state": "status",
    "failure": "error", "exception": "error", "actor": "by", "sender": "by", "user": "by", "start": "startedAt",
    "end": "endedAt", "idempotencyKey": "key", "name": "key",
  ]
  /// What an author of a step's member probably means, where no single member is meant.
  private static let advice = [
    "id": ": what the step answered is in its \"output\", and its uuid is \"uuid\"",
    "input": ": no expression reads what a step sends; read what it is made of, as input or another step",
    "body": ": the body of an answer is \"output\"",
    "statusCode": ": the status of an answer is answer.status",
    "headers": ": the headers of an answer are answer.headers",
    "code": ": the code of a failure is error.code",
    "message": ": the message of a failure is error.message",
    "succeeded": ofStatus, "success": ofStatus, "ok": ofStatus, "done": ofStatus, "completed": ofStatus,
    "failed": ofStatus, "skipped": ofStatus, "isFailed": ofStatus,
    "attempt": noAttempts, "attempts": noAttempts, "retries": noAttempts,
  ]
  private static let ofStatus = ": ask for its status, as $.steps.ID.status == 'succeeded'"
  private static let noAttempts = ": no expression reads how often a step was tried"
  private static let sagaMembers = SagaMember.allCases.map(\.rawValue)

  private static let adviceOfSaga = [
    "input": ": the input is read as input", "steps": ": steps are read as steps.ID",
    "labels": ": a label is made of the input, which can be read itself",
    "title": ": the title is made of the input, which can be read itself",
    "name": ": the workflow's name is saga.workflow",
    "status": ": expressions are computed while the saga runs",
    "attempt": ": a repeated call is the same call, so no expression reads its attempt",
  ]
  /// What an author of a root probably means.
  private static let adviceOfRoots = [
    "uuid": "; a step's uuid is read as steps.ID.uuid", "key": "; the key of the start is saga.key",
    "output": "; what a step answered is steps.ID.output", "id": "; the saga's id is saga.id",
    "env": "; secrets and addresses are in the server's configuration",
    "secrets": "; secrets are in the server's configuration",
    "vars": "; a fixed value is written where it is used", "context": "; the saga itself is saga, as saga.id",
    "workflow": "; the workflow's name is saga.workflow", "now": "; there is no clock: read saga.startedAt",
    "body": "; the body of an answer is steps.ID.output", "response": "; an answer is steps.ID.output",
    "params": ofInput, "parameters": ofInput, "args": ofInput, "arguments": ofInput, "trigger": ofInput,
    "event": ofInput, "payload": ofInput, "data": ofInput, "request": ofInput, "message": ofInput,
    "result": "; what a step answered is steps.ID.output", "state": "; what a step answered is steps.ID.output",
    "needs": "; a step is read as steps.ID", "tasks": "; a step is read as steps.ID",
    "jobs": "; a step is read as steps.ID",
    "process": "; secrets and addresses are in the server's configuration",
    "os": "; secrets and addresses are in the server's configuration", "ctx": "; the saga itself is saga, as saga.id",
    "github": "; the saga itself is saga, as saga.id", "user": "; who started the saga is saga.startedBy",
    "global": "; a fixed value is written where it is used", "globals": "; a fixed value is written where it is used",
    "self": "; a step reads its own steps.ID.key and steps.ID.uuid",
    "this": "; a step reads its own steps.ID.key and steps.ID.uuid",
  ]

  private static let ofInput = "; what a saga was started with is input"
  /// Words for the body of a signal.
  private static let wordsForSignal: Set<String> = [
    "body", "payload", "data", "event", "message", "content", "request", "answer", "value",
  ]

  /// - Parameter usesOfWorkflow: those outside the steps: of `title`, `labels` and `output`.
  func check(usesOfWorkflow: [Use]) {
    for draft in drafts {
      let guarded = around(draft).reduce(guarded(by: draft)) { $0.union(self.guarded(by: $1)) }
      for use in draft.uses {
        check(use, of: draft, guarded: guarded)
        warnOfBlindAccept(use)
      }
    }
    for use in usesOfWorkflow { check(use, of: nil, guarded: []) }
  }

  /// Returns the groups around a step, the innermost first.
  func around(_ draft: StepDraft) -> [StepDraft] {
    var groups: [StepDraft] = []
    while let group = (groups.last ?? draft).group { groups.append(drafts[group]) }
    return groups
  }

  /// Returns the steps whose state the step's own `when` reads.
  private func guarded(by draft: StepDraft) -> Set<String> {
    var steps: Set<String> = []
    for use in draft.uses where use.role == .when {
      for read in use.reads {
        guard read.name(0) == "steps", let id = read.name(1) else { continue }
        if let member = read.name(2), member == "key" || member == "uuid" { continue }
        steps.insert(id)
      }
    }
    return steps
  }

  /// - Parameter draft: the step that reads; nil for the workflow itself.
  private func check(_ use: Use, of draft: StepDraft?, guarded: Set<String>) {
    for read in use.reads {
      let one = One(use: use, read: read, reader: draft)
      warnOfListOfOne(one)
      switch read.tokens.first {
      case .name("steps") where use.role == .start:
        error(
          one, WorkflowErrorCode.stepNotBefore,
          use.pointer.description.hasPrefix("/concurrency")
            ? "a saga takes the turn of its workflow before every step: its key reads input and saga"
            : "\"title\" and \"labels\" are made when the saga starts, before every step: they read input and saga",
          token: 0)
      case .name("steps"): checkStep(one, guarded: guarded)
      case .name("saga"):
        if let member = read.name(1), !Self.sagaMembers.contains(member) {
          error(
            one, WorkflowErrorCode.unknownMember, "saga has no \"\(member)\"" + (Self.adviceOfSaga[member] ?? ""),
            token: 1,
            near: Self.adviceOfSaga[member] == nil ? NearNames.nearest(to: member, among: Self.sagaMembers) : nil)
        }
      case .name("input"):
        checkMembers(one, of: inputSchema, named: "inputSchema", "input", from: 1)
        warnOfOptional(one, in: inputSchema, of: "\"inputSchema\"", from: 1)
      case .name("signal") where use.role.isAccept: checkSignal(one)
      case .name("answer") where use.role == .poll: checkAnswer(one)
      case .name(let name) where hasItem(one) && Self.itemNames(of: draft).contains(name): break
      case .name(let name):
        checkRoot(name, one)
      case .index:
        error(one, WorkflowErrorCode.unknownRoot, "the document is an object: it has members, no elements", token: 0)
      case nil:
        if !read.isPlain { warnOfAll(one, "it reads everything") }
      }
    }
  }

  struct One {
    let use: Use
    let read: QueryRead
    let reader: StepDraft?
  }

  func error(
    _ one: One, _ code: String, _ message: String, token: Int, near: @autoclosure () -> String? = nil
  ) {
    let inside = one.read.offsets.indices.contains(token) ? one.read.offsets[token] : one.read.offset
    report.error(code, message, at: one.use.pointer, .inside(max(0, one.use.offset + inside)), near: near())
  }

  private func warnOfAll(_ one: One, _ what: String) {
    if one.use.role == .items || one.use.role == .key {
      error(
        one, WorkflowErrorCode.itemsUnstable,
        "\(what), and that changes while the items are done: name what \"forEach\" needs of input, saga and the steps "
          + "before this one", token: 0)
      return
    }
    report.warning(
      WorkflowErrorCode.readsEveryStep,
      "\(what), also of steps that may not have run yet: name the steps that it needs", at: one.use.pointer,
      .inside(max(0, one.use.offset + one.read.offset)))
  }

  /// Returns whether the expression is evaluated for one item.
  private func hasItem(_ one: One) -> Bool {
    guard one.reader?.hasForEach == true else { return false }
    switch one.use.role {
    case .action, .accept, .poll, .key, .undo, .undoAccept: return true
    case .when, .items, .turn, .output, .start: return false
    }
  }

  /// Returns the names that an item adds to the document.
  private static func itemNames(of draft: StepDraft?) -> [String] {
    draft?.hasForEach == true ? [draft?.forEach?.name ?? ForEach.defaultName, ForEach.indexName] : []
  }

  private func checkRoot(_ name: String, _ one: One) {
    let names = Self.itemNames(of: one.reader)
    if names.contains(name) {
      error(
        one, WorkflowErrorCode.itemOutsideForEach,
        one.use.role == .items
          ? "\"items\" finds the items, so it can't read \"\(name)\""
          : one.use.role == .turn
            ? "the step takes one turn for all its items, so its key can't read \"\(name)\""
            : "\"when\" is evaluated once for the whole step, so it can't read \"\(name)\"", token: 0)
      return
    }
    // Under its default name an item is what an author means, unless the step has given it another name.
    if names.isEmpty, name == ForEach.defaultName || name == ForEach.indexName {
      error(
        one, WorkflowErrorCode.itemOutsideForEach, "\"\(name)\" is there only in a step with \"forEach\"", token: 0)
      return
    }
    var roots =
      switch one.use.role {
      case .accept, .undoAccept: Self.roots + ["signal"]
      case .poll: Self.roots + ["answer"]
      case .start: Self.roots.filter { $0 != "steps" }
      case .action, .when, .turn, .undo, .output, .items, .key: Self.roots
      }
    if hasItem(one) { roots += names }
    var message = "the document has no \"\(name)\": it has \(roots.joined(separator: ", "))"
    if name == "signal" {
      message =
        "\"signal\" is there only in \"accept\"; "
        + (one.use.role.undoOutcomes == nil
          ? "later its body is the step's output" : "nothing reads the body of a signal that confirms an undo")
    }
    if name == "answer" {
      message =
        "\"answer\" is there only in \"until\" and \"failWhen\" of a poll; later its body is the step's output"
    }
    let isOfSignal = one.use.role.isAccept && name != "signal" && graph.indexes[name] == nil
    if isOfSignal, Self.wordsForSignal.contains(name) {
      message = "the document has no \"\(name)\": the body of the signal is $.signal"
    } else if isOfSignal, Self.adviceOfRoots[name] == nil {
      message += "; a member of the signal is $.signal.\(name)"
    } else if let advice = Self.adviceOfRoots[name] {
      message += advice
    }
    if one.use.role == .poll, name == "body" || name == "response" {
      message = "the document has no \"\(name)\": the body of an answer is $.answer.body"
    }
    if let meant = one.read.hyphenatedName { message += "; a name with a hyphen is written ['\(meant)']" }
    if graph.indexes[name] != nil, roots.contains("steps") { message = "a step is read as steps.\(name)" }
    error(
      one, WorkflowErrorCode.unknownRoot, message, token: 0,
      near: name == "signal" || name == "answer" || Self.adviceOfRoots[name] != nil
        || (isOfSignal && Self.wordsForSignal.contains(name))
        ? nil : NearNames.nearest(to: name, among: roots))
  }

  /// Reports a member that an answer does not have, and a header whose name is not in lower case.
  private func checkAnswer(_ one: One) {
    guard one.read.tokens.count > 1 else { return }
    guard let member = one.read.name(1), Self.answerMembers.contains(member) else {
      let named = one.read.name(1)
      let near = named.flatMap { Self.meantOfAnswer[$0] ?? NearNames.nearest(to: $0, among: Self.answerMembers) }
      return error(
        one, WorkflowErrorCode.unknownMember,
        "an answer has \(Self.answerMembers.joined(separator: ", ")), no \"\(named ?? one.read.tokens[1].description)\""
          + (near == nil ? "; a member of the body is $.answer.body.\(named ?? "ID")" : ""),
        token: 1, near: near)
    }
    guard member == "headers", let header = one.read.name(2), header != header.lowercased() else { return }
    error(
      one, WorkflowErrorCode.unknownMember, "the names of headers are in lower case here, whatever the service sends",
      token: 2, near: header.lowercased())
  }

  /// Checks what is read of `steps.ID.answer`.
  /// - Returns: false when an error was reported.
  private func checkAnswer(of step: StepDraft, _ one: One) -> Bool {
    if let action = step.action, !action.isHTTP {
      error(
        one, WorkflowErrorCode.unknownMember,
        "\(step.label) makes no call over HTTP, so it has no \"answer\": only a step with \"http\" has it", token: 2)
      return false
    }
    guard one.read.tokens.count > 3 else { return true }
    let members = AnswerMember.allCases.map(\.rawValue)
    guard let name = one.read.name(3), let member = AnswerMember(rawValue: name) else {
      let name = one.read.name(3)
      let hint = name == "body" ? "; the body is steps.\(step.label).output" : ""
      error(
        one, WorkflowErrorCode.unknownMember,
        "the answer of a step has \(members.joined(separator: ", ")), no "
          + "\"\(name ?? one.read.tokens[3].description)\"\(hint)",
        token: 3, near: name.flatMap { NearNames.nearest(to: $0, among: members) })
      return false
    }
    guard member == .headers, let header = one.read.name(4), !AnswerHeaders.names.contains(header) else { return true }
    let lower = header.lowercased()
    let near = AnswerHeaders.names.contains(lower) ? lower : NearNames.nearest(to: lower, among: AnswerHeaders.names)
    error(
      one, WorkflowErrorCode.unknownMember,
      "the history keeps no header \"\(header)\": it keeps \(AnswerHeaders.names.joined(separator: ", "))",
      token: 4, near: near)
    return false
  }

  // MARK: Steps

  private func checkStep(_ one: One, guarded: Set<String>) {
    let read = one.read
    guard read.tokens.count > 1 else {
      if one.use.role != .output || !read.isPlain { warnOfAll(one, "it reads every step") }
      return
    }
    guard let id = read.name(1), let target = graph.indexes[id] else {
      let name = read.name(1)
      error(
        one, WorkflowErrorCode.unknownStep,
        name.map { "there is no step \"\($0)\"" } ?? "steps are read by their ids, not by numbers", token: 1,
        near: name.flatMap { NearNames.nearest(to: $0, among: drafts.compactMap(\.id)) })
      return
    }
    let name = read.name(2)
    let member = name.flatMap(StepMember.init)
    // An item sees the step as its own, with one key.
    if drafts[target].hasForEach, one.reader?.index != target || !hasItem(one) {
      guard checkMembersOfForEach(one, id, member) else { return }
    } else if read.tokens.count > 2, member == nil || member == .items {
      error(
        one, WorkflowErrorCode.unknownMember,
        "a step has \(StepMember.offered.joined(separator: ", ")), no \"\(name ?? read.tokens[2].description)\""
          + (member == .items ? ": \(id) has no \"forEach\"" : name.flatMap { Self.advice[$0] } ?? ""),
        token: 2,
        near: name.flatMap {
          Self.advice[$0] == nil
            ? Self.meantMembers[$0] ?? NearNames.nearest(to: $0, among: StepMember.offered) : nil
        })
      return
    }
    if let member, let action = drafts[target].action, action.isGroup, !StepMember.ofGroups.contains(member) {
      error(
        one, WorkflowErrorCode.unknownMember,
        "\(id) is a group, and has \(StepMember.ofGroups.map(\.rawValue).joined(separator: ", ")): "
          + "read what the steps inside it answered", token: 2)
      return
    }
    if member == .by, let action = drafts[target].action, !action.isSignal {
      error(
        one, WorkflowErrorCode.unknownMember,
        "\(id) takes no signal, so it has no \"by\": only a step with \"signal\" has it", token: 2)
      return
    }
    if let member, [.status, .outcome, .by, .startedAt, .endedAt, .key, .uuid].contains(member), read.tokens.count > 3 {
      error(
        one, WorkflowErrorCode.unknownMember, "steps.\(id).\(member.rawValue) is a text, so it has no members", token: 3
      )
      return
    }
    if member == .answer, !checkAnswer(of: drafts[target], one) { return }
    if let reader = one.reader {
      if reader.index == target { return checkOwn(one, member) }
      guard !graph.isUncertain[reader.index] else { return }
      let groups = around(drafts[target]).map(\.index)
      if groups.contains(reader.index) {
        error(
          one, WorkflowErrorCode.stepNotBefore,
          "\(id) is inside \(reader.label), so what it did isn't known before \(reader.label) begins", token: 1)
        return
      }
      // Inside a group the group itself has begun, and it has not ended.
      let isAround = around(reader).contains { $0.index == target }
      if isAround, one.use.role != .items, one.use.role != .key, member == .status || member == .startedAt { return }
      guard graph.steps.ancestors[reader.index].contains(target) else {
        // A dependency on a later step would be a cycle.
        let isLater = graph.steps.ancestors[target].contains(reader.index)
        error(
          one, WorkflowErrorCode.stepNotBefore,
          isLater
            ? "\(id) runs after \(reader.label), so what it did isn't known here: move what needs it behind \(id)"
            : "\(reader.label) doesn't come after \(id), so what \(id) did isn't known: put it into \"dependsOn\"",
          token: 1)
        return
      }
    }
    checkGuard(one, target: target, member: member, guarded: guarded)
    if member == .output, !drafts[target].hasForEach, case .signal(let signal)? = drafts[target].action {
      checkMembers(one, of: signal.schema?.source, named: "schema", "signal", from: 3)
      warnOfOptional(one, in: signal.schema?.source, of: "the schema of \(id)", from: 3)
    }
  }

  /// Reports a member that a step with `forEach`, or one of its items, does not have.
  /// - Returns: whether the query is right so far.
  private func checkMembersOfForEach(_ one: One, _ id: String, _ member: StepMember?) -> Bool {
    let read = one.read
    guard read.tokens.count > 2 else { return true }
    guard let member, StepMember.ofForEach.contains(member) else {
      let members = StepMember.ofForEach.map(\.rawValue)
      let asked = read.name(2) ?? read.tokens[2].description
      let ofItem = ItemMember(rawValue: asked) != nil
      error(
        one, WorkflowErrorCode.unknownMember,
        "\(id) has \"forEach\", and so \(members.joined(separator: ", ")), no \"\(asked)\""
          + (ofItem ? ": read steps.\(id).items[*].\(asked)" : ""), token: 2,
        near: ofItem ? nil : NearNames.nearest(to: asked, among: members))
      return false
    }
    guard member == .items else { return true }
    if read.tokens.count == 3 {
      // The items are not known before any of them is read, so a wrong name would only find nothing.
      for name in [read.memberOfEach].compactMap(\.self) + read.filterReads.map(\.member)
      where ItemMember(rawValue: name) == nil {
        noMember(name, ofItemIn: one, token: 2)
        return false
      }
    }
    guard read.tokens.count > 4, case .index = read.tokens[3] else { return true }
    guard let name = read.name(4), ItemMember(rawValue: name) != nil else {
      noMember(read.name(4) ?? read.tokens[4].description, ofItemIn: one, token: 3)
      return false
    }
    return true
  }

  private func noMember(_ name: String, ofItemIn one: One, token: Int) {
    error(
      one, WorkflowErrorCode.unknownMember,
      "an item has \(ItemMember.offered.joined(separator: ", ")), no \"\(name)\"", token: token,
      near: Self.meantMembers[name].flatMap { ItemMember(rawValue: $0)?.rawValue }
        ?? NearNames.nearest(to: name, among: ItemMember.offered))
  }

  private func checkOwn(_ one: One, _ member: StepMember?) {
    let id = one.reader?.label ?? ""
    if one.use.role == .items || one.use.role == .key {
      error(
        one, WorkflowErrorCode.stepNotBefore,
        "\(id) has not begun when its items are found: \"forEach\" reads nothing of its own step", token: 1)
      return
    }
    if member == .key || member == .uuid { return }
    guard let outcomes = one.use.role.undoOutcomes else {
      error(
        one, WorkflowErrorCode.stepNotBefore,
        "\(id) isn't over when this is read: of itself a step can read steps.\(id).key and steps.\(id).uuid", token: 1)
      return
    }
    guard member == .output || member == .answer else {
      error(
        one, WorkflowErrorCode.stepNotBefore,
        "an undo can read its step's output, answer, key and uuid, nothing else of it",
        token: member == nil ? 1 : 2)
      return
    }
    if outcomes != [.succeeded] {
      error(
        one, WorkflowErrorCode.undoReadsOutput,
        "this undo also runs when no answer came, and then there is no \(member?.rawValue ?? "output"): make the thing under a known id and use "
          + "steps.\(id).uuid (or .key), or say \"appliesTo\": [\"succeeded\"]", token: 2)
    }
  }

  /// Reports a template that reads an optional output or error without a guard. A template that finds no value fails. A
  /// condition that finds no value is only false, so it needs no guard.
  private func checkGuard(_ one: One, target: Int, member: StepMember?, guarded: Set<String>) {
    guard one.use.condition == nil, !one.read.mayBeMissing, let member, member != .outputError else { return }
    let step = drafts[target]
    // A group that also has the reader is not skipped when the reader runs.
    let shared = one.reader.map { reader in Set([reader.index] + around(reader).map(\.index)) } ?? []
    let groups = around(step).filter { !shared.contains($0.index) }
    if ([step] + groups).contains(where: { guarded.contains($0.label) }) { return }
    let what = "no \(member.rawValue)"
    let optional = ([step] + groups).first(where: \.mayBeSkipped)
    let skipped = optional.map { owner in
      owner.index == step.index
        ? "\(step.label) may be skipped, and then it has \(what)"
        : "\(step.label) may be skipped with its group \(owner.label), and then it has \(what)"
    }
    let failed =
      step.onFailure == .continue ? "\(step.label) may fail and the saga goes on, and then it has \(what)" : nil
    let reason: String? =
      switch member.presence {
      case .always, .afterEnd: nil
      case .afterFailure: "\(step.label) has an error only when it failed"
      case .withOutput, .afterSignal: skipped ?? failed
      // An attempt that fails without an answer leaves none.
      case .withAnswer: skipped ?? failed
      case .afterBegin: skipped
      }
    guard let reason else { return }
    let advice =
      one.reader == nil
      ? "give another value behind ??, or read its status instead"
      : "ask for it in this step's \"when\", as $.steps.\(step.label).\(member.rawValue), or give another value behind ??"
    error(one, WorkflowErrorCode.unguardedRead, "\(reason): \(advice)", token: 1)
  }
}
