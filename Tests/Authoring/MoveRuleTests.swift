import JSON
import TestSupport
import Testing
import Values

@testable import Authoring
@testable import Workflows

@Suite("Which sagas could move to another version", .timeLimit(.minutes(15)), .inTurn)
struct MoveRuleTests {
  private func rule(_ after: JSON) throws -> MoveRule {
    MoveRule(
      from: try ComparisonTests.definition(ComparisonTests.first), to: try ComparisonTests.definition(after))
  }

  private func told(_ rule: MoveRule) -> [String] { rule.firstObstacles.map { "\($0.step): \($0.reason)" } }

  @Test(
    "a change keeps the sagas that have begun its step",
    arguments: [
      ("steps/0/http/path", "/x", ["register: its action changed"]),
      ("steps/0/compensation/http/path", "/x", ["register: its compensation changed"]),
      ("steps/0/compensation/appliesTo", ["succeeded"], ["register: its compensation changed"]),
      ("steps/1/pivot", true, ["weigh: it is a pivot now"]),
      ("steps/2/signal/accept", "$.signal.by == 'anna'", ["approve: its action changed"]),
      ("steps/1/dependsOn", [], ["weigh: no longer behind register"]),
      ("steps/3", nil, ["rest: the step is removed"]),
      // Times, retries and conditions are about what is still to come.
      ("steps/0/timeout", "9s", []), ("steps/0/compensation/retry", ["maxAttempts": 2], []),
      ("steps/0/when", "$.input.ward != ''", []), ("steps/1/retry/maxAttempts", 9, []),
      ("steps/1/compensation", nil, []), ("timeout", "7m", []), ("output", nil, []),
    ] as [(String, JSON?, [String])])
  func changes(_ pointer: String, _ value: JSON?, _ told: [String]) throws {
    #expect(self.told(try rule(try ComparisonTests.changed(pointer, value))) == told)
  }

  @Test("a new step at the end keeps no saga, and one in the middle keeps those that are behind it")
  func newSteps() throws {
    let steps = try #require(ComparisonTests.first["steps"]?.arrayValue)
    let pause: JSON = ["id": "pause", "delay": ["for": "1s"]]
    let atEnd = try rule(try ComparisonTests.changed("steps", .array(steps + [pause])))
    #expect(atEnd.obstacles.isEmpty)
    var more = steps
    more.insert(pause, at: 2)
    let inside = try rule(try ComparisonTests.changed("steps", .array(more)))
    #expect(told(inside) == ["approve: new before it: pause"])
    // The step behind it is an obstacle too, but it is begun only after the first one.
    #expect(inside.obstacles.map(\.step) == ["approve", "rest"])
    #expect(inside.obstacle(begun: ["register", "weigh"]) == nil)
    #expect(inside.obstacle(begun: ["register", "weigh", "approve"])?.step == "approve")
  }

  @Test("two steps that ran side by side may not get an order after both have begun")
  func order() throws {
    let side = try Drawn.steps([[], [], [0, 1]])
    let ordered = try Drawn.steps([[], [0], [1]])
    let rule = MoveRule(from: side, to: ordered)
    #expect(rule.firstObstacles == [MoveRule.Obstacle(step: "s1", reason: "now behind s0")])
    #expect(rule.obstacle(begun: ["s0"]) == nil)
    #expect(rule.obstacle(begun: ["s1"]) != nil)
  }

  @Test("a group has begun with its first member, and a new member behind the begun ones keeps no saga")
  func groups() throws {
    func workflow(_ members: [String], group: String = "g") throws -> WorkflowDefinition {
      let steps = members.map { ["id": .string($0), "delay": ["for": "1s"]] as JSON }
      let outer: JSON = ["id": .string(group), "steps": .array(steps)]
      let last: JSON = ["id": "z", "delay": ["for": "1s"]]
      return try ComparisonTests.definition(
        JSON.object(["name": "g", "version": 1, "timeout": "1h", "steps": .array([outer, last])]))
    }
    let before = try workflow(["a", "b"])
    let longer = MoveRule(from: before, to: try workflow(["a", "b", "c"]))
    #expect(told(longer) == ["z: new before it: c"])
    #expect(longer.obstacle(begun: ["g", "a", "b"]) == nil)
    let inside = MoveRule(from: before, to: try workflow(["a", "c", "b"]))
    #expect(told(inside) == ["b: new before it: c"])
    // A saga that has begun the group has begun its first member or is about to: the group itself is the obstacle.
    let renamed = MoveRule(from: before, to: try workflow(["a", "b"], group: "h"))
    #expect(told(renamed) == ["g: the step is removed"])
    #expect(renamed.obstacle(begun: ["g"])?.step == "g")
  }

  @Test("a group that is over takes no new member")
  func grownGroups() throws {
    func workflow(_ members: [String]) throws -> WorkflowDefinition {
      let steps = members.map { ["id": .string($0), "delay": ["for": "1s"]] as JSON }
      let beside: JSON = ["id": "z", "delay": ["for": "1s"], "dependsOn": []]
      return try ComparisonTests.definition(
        JSON.object([
          "name": "g", "version": 1, "timeout": "1h", "steps": .array([["id": "g", "steps": .array(steps)], beside]),
        ]))
    }
    let comparison = WorkflowComparison(from: try workflow(["a"]), to: try workflow(["a", "b"]))
    let rule = comparison.rule
    #expect(rule.obstacles.isEmpty && rule.grownGroups == [MoveRule.Obstacle(step: "g", reason: "new in it: b")])
    #expect(rule.obstacle(begun: ["g", "a", "z"]) == nil)
    #expect(rule.obstacle(begun: ["g", "a", "z"], over: ["a", "g"])?.reason == "new in it: b")
    #expect(comparison.json["move"]?["unlessOver"] == [["step": "g", "reason": "new in it: b"]])
    #expect(MoveRule(from: try workflow(["a", "b"]), to: try workflow(["a"])).grownGroups.isEmpty)
  }

  @Test(
    "what a poll asks and what gives the items are part of a step",
    arguments: [
      ("poll/every", "2m", "its poll changed"), ("poll/until", "$.answer.status == 200", "its poll changed"),
      ("poll/failWhen", "$.answer.body.state == 'off'", "its poll changed"), ("timeout", "20m", nil),
      ("poll", nil, "its poll changed"), ("forEach/items", "${input.racks[*]}", "its items changed"),
      ("forEach/key", "r-${tube.id}", "its items changed"), ("forEach/maxParallel", 3, nil),
      ("forEach/toleratedFailures", 2, nil), ("forEach", nil, "its items changed"),
    ] as [(String, JSON?, String?)])
  func pollsAndItems(_ pointer: String, _ value: JSON?, _ reason: String?) throws {
    let file: JSON = [
      "name": "p", "version": 1, "timeout": "1h",
      "steps": [
        [
          "id": "look", "http": ["service": "scale", "method": "GET", "path": "/state"],
          "poll": ["every": "1m", "until": "$.answer.body.state == 'done'"], "timeout": "10m",
        ],
        [
          "id": "store", "http": ["service": "rack", "method": "PUT", "path": "/tubes"], "compensation": "none",
          "forEach": ["items": "${input.tubes[*]}", "as": "tube", "key": "${tube.id}"],
        ],
      ],
    ]
    let step = pointer.hasPrefix("forEach") ? 1 : 0
    let after = try ComparisonTests.changed(file, "steps/\(step)/\(pointer)", value)
    let rule = MoveRule(from: try ComparisonTests.definition(file), to: try ComparisonTests.definition(after))
    #expect(rule.firstObstacles.map(\.reason) == (reason.map { [$0] } ?? []))
  }

  @Test("a saga never moves to another workflow")
  func otherWorkflow() throws {
    #expect(try rule(try ComparisonTests.changed("name", "other")).isSameWorkflow == false)
    #expect(try rule(ComparisonTests.first).isSameWorkflow)
  }

  @Test("a saga that has begun no first obstacle has begun none", arguments: 0..<200)
  func firstObstacles(_ seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    func graph(_ count: Int) throws -> WorkflowDefinition {
      try Drawn.steps(
        (0..<count).map { step in (0..<step).filter { _ in random.next() % 4 == 0 } })
    }
    let (before, after) = (try graph(7), try graph(Int(random.next() % 3) + 6))
    let rule = MoveRule(from: before, to: after)
    // Every set of steps with which a saga may be under way: whatever is before a begun step has begun.
    for bits in 0..<(1 << before.steps.count) {
      let begun = before.steps.indices.filter { bits & (1 << $0) != 0 }
      guard begun.allSatisfy({ before.ancestors[$0].allSatisfy(begun.contains) }) else { continue }
      let ids = Set(begun.map { before.steps[$0].id })
      let isFree = rule.firstObstacles.allSatisfy { !ids.contains($0.step) }
      #expect((rule.obstacle(begun: ids) == nil) == isFree)
      // The rule itself: each begun step is in the second version, with the same steps before it.
      let fits = begun.allSatisfy { index in
        guard let now = after.index(of: before.steps[index].id) else { return false }
        return Set(before.ancestors[index].map { before.steps[$0].id })
          == Set(after.ancestors[now].map { after.steps[$0].id })
      }
      #expect(fits == isFree)
    }
  }
}
