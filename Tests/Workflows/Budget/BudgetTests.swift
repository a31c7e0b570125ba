import Foundation
import JSON
import Synchronization
import TestSupport
import Testing

@testable import Workflows

@Suite("Budgets of evaluations", .timeLimit(.minutes(15)), .apart)
struct BudgetTests {
  static let budget = Budget(steps: 50_000)

  static func numbers(_ count: Int) -> JSON {
    var deep: JSON = 1
    for _ in 0..<24 { deep = [deep] }
    return [
      "input": [
        "a": .array((0..<count).map { .int($0) }), "deep": deep, "s": .string(String(repeating: "a", count: 10_000)),
      ]
    ]
  }

  @Test(
    "an evaluation ends soon after its budget is used up, whatever multiplies",
    arguments: [
      "$.input.a[?count($.input.a[*]) > @]", "$.input.a[?count($..*) > 1]", "$..*..*..*..*..*..*",
      "$[*,*,*,*,*,*][*,*,*,*,*,*][*,*,*,*,*,*]", "$.input.a[::1,::1,::1,::1,::1,::1,::1,::1,::1,::-1]",
      "$.input.a[?$.input.a == $.input.a]", "$.input.a[?$.input.s == $.input.s && $.input.s >= $.input.s]",
      "$.input.a[?length($.input.s) > 1]", "$.input.a[?match($.input.s, '(a*)*b')]",
      "$.input.a[?search($.input.s, '(a?){100}b')]", "$.input.a[?value($..x) == 1]",
      "$.input.a[?match('a', 'a{4000}')]",
      "$.input.a[?!count($.input.a[*]) < @]", "$.input.a[?!$.input.a[?@ > 1000000]]",
    ])
  func ends(_ text: String) throws {
    // One of them is not a valid query: ! comes before a test.
    guard let query = try? JSONPath(text) else { return }
    let meter = Meter(Self.budget)
    var found: BudgetExceeded?
    do {
      _ = try query.values(in: Self.numbers(3_000), atMost: .max, meter)
    } catch { found = error }
    #expect(found?.limit == .steps, "\(text): \(meter.stepsUsed)")
    // One charge is bounded by the size of a text, a list or a pattern.
    #expect(meter.stepsUsed < Self.budget.steps + 25_000, "\(text) went on to \(meter.stepsUsed)")
  }

  @Test("a condition whose budget is used up is neither true nor false")
  func condition() throws {
    let condition = try JSONPathCondition("count($.input.a[?count($.input.a[*])>@])>1")
    let error = #expect(throws: ExpressionError.self) {
      try condition.holds(in: Self.numbers(3_000), budget: Self.budget)
    }
    #expect(error?.code == WorkflowErrorCode.expressionBudget)
    #expect(throws: ExpressionError.self) {
      try JSONPathCondition("!(count($.input.a[?count($.input.a[*])>@])>1)")
        .holds(in: Self.numbers(3_000), budget: Self.budget)
    }
  }

  @Test(
    "usual queries over 100,000 items stay within the budget",
    arguments: ["[?@ > 99]", "[?@ > 99 && @ < 500000 || @ == 7]", "[*]"])
  func honest(_ filter: String) throws {
    let document: JSON = ["input": ["a": .array((0..<100_000).map { .int($0) })]]
    #expect(try JSONPath("$.input.a\(filter)").values(in: document).count >= 99_900)
  }

  @Test("the same evaluation takes the same steps")
  func deterministic() throws {
    let query = try JSONPath("$..[?@ > 3 || match('x', 'x*')]")
    func steps() throws -> Int {
      let meter = Meter()
      _ = try query.values(in: Self.numbers(500), atMost: .max, meter)
      return meter.stepsUsed
    }
    #expect(try steps() == steps())
  }

  @Test("work grows with the document, and no faster")
  func linear() throws {
    let query = try JSONPath("$.input.a[?@ > 3 && match('TS-1', 'TS-[0-9]+')]")
    func steps(_ count: Int) throws -> Int {
      let meter = Meter(Budget(steps: .max))
      _ = try query.values(in: Self.numbers(count), atMost: .max, meter)
      return meter.stepsUsed
    }
    let (short, long) = (try steps(1_000), try steps(4_000))
    #expect(long < short * 5)
  }

  // MARK: What is produced

  @Test("a value that a template takes many times is refused before it is written")
  func manyValues() throws {
    let text = String(repeating: "x", count: 1 << 20)
    let template = try Template(.array(Array(repeating: "${input.x}", count: 4_000)))
    let error = #expect(throws: ExpressionError.self) { try template.render(in: ["input": ["x": .string(text)]]) }
    #expect(error?.code == WorkflowErrorCode.renderingTooLarge)
    // A large input as a whole passes.
    let whole = try Template(["sample": "${input}"])
    let body = try whole.render(in: ["input": ["x": .string(String(repeating: "x", count: 8 << 20))]])
    #expect(body?["sample"] != nil)
  }

  @Test("concatenated texts that are too long are refused before they are copied")
  func manyTexts() throws {
    let text = String(repeating: "x", count: 100_000)
    let template = try TextTemplate(String(repeating: "${input.x}-", count: 30))
    let error = #expect(throws: ExpressionError.self) { try template.render(in: ["input": ["x": .string(text)]]) }
    #expect(error?.code == WorkflowErrorCode.renderingTooLarge)
    let body = try Template(["a": .string(String(repeating: "${input.x}-", count: 30))])
    #expect(throws: ExpressionError.self) { try body.render(in: ["input": ["x": .string(text)]]) }
  }

  @Test("all templates of one call share their budget")
  func shared() throws {
    let meter = Meter(Budget(text: 1_000))
    let template = try TextTemplate("x${input.x}")
    let document: JSON = ["input": ["x": .string(String(repeating: "x", count: 400))]]
    _ = try template.render(in: document, meter: meter)
    _ = try template.render(in: document, meter: meter)
    #expect(throws: ExpressionError.self) { try template.render(in: document, meter: meter) }
  }

  @Test(
    "the produced text is counted as it is written", arguments: [#""a\"b\\c\nd""#, #"{"k\u0001": [1, 2.50, null]}"#])
  func counted(_ text: String) throws {
    let json = try JSON(parsing: text)
    let meter = Meter()
    #expect(meter.produce(json))
    #expect(meter.bytesProduced >= json.text().utf8.count)
  }

  // MARK: Depth

  @Test("deep queries in deep filters end with a code on the stack that threads for sagas have", arguments: [60, 1])
  func depth(_ filters: Int) throws {
    var document: JSON = 1
    for _ in 0..<240 { document = ["a": document] }
    let way = String(repeating: "[*]", count: 200)
    // Each filter begins at the root again and goes all the way down.
    var query = "$\(way)"
    for _ in 0..<filters { query = "$\(way)[?\(query)]" }
    guard query.unicodeScalars.count < 60_000 else { return }
    let path = try JSONPath(query)
    let deep = document
    let result = Self.onSmallStack(16) { Result { () throws(BudgetExceeded) in try path.values(in: deep) } }
    if filters > 10 {
      guard case .failure(let error) = result else {
        Issue.record("nothing was exceeded")
        return
      }
      #expect(error.code == WorkflowErrorCode.expressionBudget)
    } else {
      #expect(throws: Never.self) { try result?.get() }
    }
  }

  @Test("deep texts, conditions and patterns are refused with a code on a small stack")
  func deepTexts() {
    let deep = 100_000
    let codes = Self.onSmallStack { () -> [String] in
      var codes: [String] = []
      func note(_ body: () throws -> Void) {
        do {
          try body()
          codes.append("none")
        } catch let error as JSONError { codes.append(error.code) } catch let error as JSONPathError {
          codes.append(error.code)
        } catch let error as TemplateError { codes.append(error.code) } catch { codes.append("\(error)") }
      }
      note { _ = try JSON(parsing: String(repeating: "[", count: deep)) }
      note { _ = try JSON(parsing: String(repeating: "{\"a\":", count: deep)) }
      note { _ = try JSON(parsing: String(repeating: "[", count: 250) + String(repeating: "]", count: 250)) }
      note { _ = try JSONPathCondition(String(repeating: "(", count: 30_000)) }
      note { _ = try JSONPath("$" + String(repeating: "[?@", count: 10_000)) }
      note { _ = try JSONPathCondition(String(repeating: "length(", count: 5_000)) }
      note { _ = try JSONPathCondition("match('a', '\(String(repeating: "(", count: 30_000))')") }
      return codes
    }
    #expect(
      codes == [
        JSONErrorCode.tooDeep, JSONErrorCode.tooDeep, "none", JSONPathErrorCode.limit, JSONPathErrorCode.limit,
        JSONPathErrorCode.limit, "none",
      ])
  }

  /// Runs something on a thread with so many MiB of stack: 2 MiB is a quarter of what threads have on Linux. (The frames
  /// of a build without optimisation are several times as large as those of one with it.)
  static func onSmallStack<Value: Sendable>(
    _ stack: Int = 2, _ body: @escaping @Sendable () -> Value
  ) -> Value? {
    let done = DispatchSemaphore(value: 0)
    let value = Mutex<Value?>(nil)
    let box = Box(value)
    let thread = Thread {
      let result = body()
      box.value.withLock { $0 = result }
      done.signal()
    }
    thread.stackSize = stack << 20
    thread.start()
    done.wait()
    return box.value.withLock { $0 }
  }

  private final class Box<Value: Sendable>: Sendable {
    let value: Mutex<Value?>
    init(_ value: consuming Mutex<Value?>) { self.value = value }
  }
}
