import JSON
import Server
import Wire

// `saga show ID --tree`: a saga with its children, their children, and the sagas above it.

/// A saga in a tree.
struct SagaTree {
  let saga: SagaSummary
  var children: [SagaTree] = []
  /// The number of children that were not read.
  var more = 0

  /// The most sagas that are read for one tree.
  static let mostSagas = 2_000
  /// The most children that are drawn one by one. Of more, those that need a look are.
  static let mostDrawn = 12

  var json: JSON {
    guard case .object(var members) = saga.json else { return saga.json }
    if !children.isEmpty { members["children"] = .array(children.map(\.json)) }
    if more > 0 { members["more"] = .int(more) }
    return .object(members)
  }

  /// - Parameter asked: the id of the saga for which the tree was asked.
  func lines(_ style: Style, asked: String) -> [String] {
    var lines = [line(style, isAsked: saga.id == asked)]
    let drawn = children.count <= Self.mostDrawn ? children : children.filter { $0.holds(asked) || $0.saga.needsLook }
    let shown = drawn.prefix(Self.mostDrawn)
    let counts = folded(children.count - shown.count, but: Set(shown.map(\.saga.id)))
    for (index, child) in shown.enumerated() {
      let isLast = index == shown.count - 1 && counts == nil
      let inner = child.lines(style, asked: asked)
      lines.append((isLast ? "└ " : "├ ") + inner[0])
      lines += inner.dropFirst().map { (isLast ? "  " : "│ ") + $0 }
    }
    if let counts { lines.append("└ " + style.dim(counts)) }
    return lines
  }

  private func line(_ style: Style, isAsked: Bool) -> String {
    let mark = StatusLabel.ofSaga(saga.paused ? "paused" : saga.status)
    let name = Layout.printable(saga.title ?? "\(saga.workflow) v\(saga.version)")
    let at = saga.status == "stuck" ? saga.failedStep.map { " at \($0)" } ?? "" : ""
    let words = "\(style.colour("\(mark.symbol) \(mark.word)", mark.colour))\(at)"
    return "\(words)  \(isAsked ? style.bold(name) : name)  \(saga.id)"
  }

  /// `84 completed, 3 compensated`; nil when every child is drawn.
  private func folded(_ count: Int, but drawn: Set<String>) -> String? {
    guard count + more > 0 else { return nil }
    var counts: [(status: String, count: Int)] = []
    for child in children where !drawn.contains(child.saga.id) {
      if let index = counts.firstIndex(where: { $0.status == child.saga.status }) {
        counts[index].count += 1
      } else {
        counts.append((child.saga.status, 1))
      }
    }
    let words = counts.map { "\($0.count) \($0.status)" } + (more > 0 ? ["\(more) or more not read"] : [])
    return words.joined(separator: ", ")
  }

  private func holds(_ id: String) -> Bool { saga.id == id || children.contains { $0.holds(id) } }
}

extension SagaSummary {
  /// Whether people should see it in a long list of children.
  fileprivate var needsLook: Bool { status == "stuck" || paused || overdue }
}

extension Invocation {
  /// Prints the tree of sagas that has a saga.
  func showTree() async throws -> ExitStatus {
    let id = try await sagaID()
    var top = try await client.get(.getSaga, id).read(SagaResponse.self)
    // A saga has at most 8 sagas above it.
    for _ in 0..<8 {
      guard let parent = top.parent else { break }
      top = try await client.get(.getSaga, parent.id).read(SagaResponse.self)
    }
    var left = SagaTree.mostSagas
    let tree = try await tree(of: SagaSummary(top), left: &left)
    if json {
      terminal.line(tree.json.text(.pretty))
    } else {
      for line in tree.lines(style, asked: id) { terminal.line(line) }
    }
    return .success
  }

  /// Reads the children of a saga, and theirs.
  private func tree(of saga: SagaSummary, left: inout Int) async throws -> SagaTree {
    var tree = SagaTree(saga: saga)
    var cursor: String?
    repeat {
      var query = [("parent", saga.id), ("sort", "startedAt"), ("limit", "200")]
      if let cursor { query.append(("cursor", cursor)) }
      let page: SagaListResponse = try await client.get(.listSagas, query: query).read()
      for child in page.sagas {
        guard left > 0 else {
          tree.more += 1
          continue
        }
        left -= 1
        tree.children.append(try await self.tree(of: child, left: &left))
      }
      cursor = left > 0 ? page.next : nil
    } while cursor != nil
    return tree
  }
}

extension SagaSummary {
  /// The line of a saga that was read by itself.
  fileprivate init(_ saga: SagaResponse) {
    self.init(
      id: saga.id, title: saga.title, workflow: saga.workflow, version: saga.version, status: saga.status,
      paused: saga.paused != nil, overdue: saga.overdue, startedAt: saga.startedAt,
      updatedAt: saga.endedAt ?? saga.startedAt, endedAt: saga.endedAt, deadline: saga.deadline ?? saga.startedAt,
      tags: saga.tags, labels: saga.labels, key: saga.key, parent: saga.parent?.id, failedStep: saga.failedStep,
      failureCode: saga.failureCode, failureMessage: saga.failureMessage, attempts: 0)
  }
}
