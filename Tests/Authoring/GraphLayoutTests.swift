import JSON
import TestSupport
import Testing
import Workflows

@testable import Authoring

@Suite("The layout of a workflow's graph", .timeLimit(.minutes(15)), .inTurn)
struct GraphLayoutTests {
  private func layout(_ dependencies: [[Int]]) throws -> GraphLayout {
    try GraphLayout(dependencies: dependencies)
  }

  @Test("gives each step the layer of its longest path")
  func layers() throws {
    let layout = try layout([[], [0], [0], [1, 2], []])
    #expect(layout.layers == [[0, 4], [1, 2], [3]])
    #expect(layout.edges.map(\.path) == [[0, 1], [0, 2], [1, 3], [2, 3]])
  }

  @Test("gives a long edge a place in each layer that it passes through")
  func bends() throws {
    let layout = try layout([[], [0], [1], [2, 0]])
    #expect(layout.layers.map(Set.init) == [[0], [1, 4], [2, 5], [3]])
    #expect(layout.edges.map(\.path) == [[0, 1], [1, 2], [2, 3], [0, 4, 5, 3]])
  }

  @Test("orders a layer by the places of its neighbours, so that lines do not cross")
  func order() throws {
    // Step 2 follows 1, and step 3 follows 0: in the order of the file the two lines would cross.
    let layout = try layout([[], [], [1], [0]])
    #expect(layout.layers == [[0, 1], [3, 2]])
  }

  @Test("draws a thousand steps, and refuses a graph whose long edges no person could follow")
  func limits() throws {
    let most = WorkflowChecker.maxSteps
    let chain = (0..<most).map { step in step == 0 ? [] : step < 3 ? [step - 1] : [step - 1, step - 3] }
    let layout = try layout(chain)
    #expect(layout.layers.count == most)
    #expect(layout.edges.count == 2 * most - 4)
    let wide = (0..<most).map { step in step < most / 2 ? [] : [step - most / 2, (step * 7) % (most / 2)] }
    #expect(try self.layout(wide).layers.map(\.count) == [most / 2, most / 2])

    let tangled = (0..<most).map { Array(0..<$0) }
    let error = #expect(throws: GraphTooLarge.self) { try self.layout(tangled) }
    #expect(error?.code == "graph.tooLarge")
    // Each pair of steps has an edge, with a piece for each layer that it crosses.
    #expect(error?.pieces == (0..<most).reduce(0) { sum, step in sum + step * (step + 1) / 2 })
    let crowded = (0..<most).map { step in step < most / 2 ? [] : Array(0..<(most / 2)) }
    #expect(throws: GraphTooLarge.self) { try self.layout(crowded) }
  }

  @Test("of a workflow of one step, or of steps that all begin at once")
  func small() throws {
    #expect(try layout([[]]).layers == [[0]])
    #expect(try layout([[], [], []]).layers == [[0, 1, 2]])
  }
}
