import Authoring
import Foundation
import JSON
import TestSupport
import Testing
import Values
import Workflows

/// `saga graph --format svg` against the console's own code, in a browser.
@Suite("The picture of a workflow", .timeLimit(.minutes(15)), .inTurn)
struct GraphPictureTests {
  @Test("The SVG of saga graph has the boxes, signs and lines that the console draws")
  func same() async throws {
    try await ConsoleSite.run { site in
      let page = try await site.page()
      for file in try Self.files() {
        let bytes = Array(file.text().utf8)
        let definition = try #require(WorkflowChecker.check(bytes).definition, "\(file.text().prefix(200))")
        let layout = try GraphLayout(dependencies: DrawnOrder.dependencies(of: definition))
        let svg = try SVGGraph.text(of: definition)
        // The page's policy allows no style of a document that a script reads.
        let bare = svg.replacing(#/<style>.*?<\/style>/#, with: "")
        #expect(bare.count < svg.count)
        let answer = try await page.run(Self.script(file, bare))
        let layers = layout.layers.map { layer in
          JSON.array(layer.map { $0 < layout.stepCount ? .string(definition.steps[$0].id) : "" })
        }
        #expect(answer["layers"] == .array(layers), "\(definition.name)")
        #expect(answer["file"] == answer["console"], "\(definition.name)")
        #expect(answer["file"]?["nodes"]?.arrayValue?.count == definition.steps.count)
      }
      #expect(page.complaints == [])
    }
  }

  /// Returns the shipped workflows, and some whose graphs are hard to lay out.
  private static func files() throws -> [JSON] {
    let shipped = try Repository.names(in: "workflows", ending: ".json").map { name in
      try JSON(parsing: try Repository.bytes("workflows/\(name)"))
    }
    #expect(shipped.count >= 2)
    return shipped + [
      steps([[]]), steps([[], [], []]), steps([[], [0], [1], [2, 0], [3, 1, 0]]),
      steps([[], [], [1, 0], [0], [2, 3], [], [5, 1], [6, 4]]), random(60, seed: 7), random(60, seed: 8), signs,
      groups, stacks, undos,
    ]
  }

  private static func steps(_ dependencies: [[Int]]) -> JSON {
    let steps = dependencies.enumerated().map { index, before -> JSON in
      ["id": .string("s\(index)"), "dependsOn": .array(before.map { .string("s\($0)") }), "delay": ["for": "1s"]]
    }
    return ["name": .string("steps-\(dependencies.count)"), "version": 1, "timeout": "30d", "steps": .array(steps)]
  }

  private static func random(_ count: Int, seed: UInt64) -> JSON {
    var random = SeededRandom(seed: seed)
    return steps(
      (0..<count).map { step in
        var before: [Int] = []
        for _ in 0..<3 where step > 0 {
          let other = Int(random.next() % UInt64(step))
          if !before.contains(other) { before.append(other) }
        }
        return before
      })
  }

  private static let signs: JSON = [
    "name": "signs", "version": 1, "timeout": "9d",
    "steps": [
      [
        "id": "a_name_that_is_too_long_for_a_box_and_so_is_drawn_smaller_or_cut",
        "description": "<b>\"Quoted\" & 'escaped'\nünder</b>",
        "http": ["service": "a-service-with-a-long-name", "method": "PUT", "path": "/${input.id}"],
        "when": "$.input.id != ''",
        "compensation": [
          "http": ["service": "a-service-with-a-long-name", "method": "DELETE", "path": "/${input.id}"]
        ],
      ],
      ["id": "wait", "dependsOn": [], "signal": ["name": "approval"], "timeout": "1d"],
      [
        "id": "run", "pivot": true, "compensation": "none", "dependsOn": ["wait"],
        "kafka": ["service": "robot", "command": "run"],
      ],
      ["id": "stop", "when": "$.input.id == 'x'", "fail": ["code": "STOPPED"]],
    ],
  ]

  /// Steps that a signal and a workflow undo.
  private static let undos: JSON = [
    "name": "undos", "version": 1, "timeout": "9d",
    "steps": [
      [
        "id": "scan", "signal": ["name": "scanned"], "timeout": "1h",
        "compensation": ["signal": ["name": "taken-out"], "remind": ["after": "1h"]],
      ],
      [
        "id": "load", "http": ["service": "robot", "method": "PUT", "path": "/loads/1"],
        "compensation": ["workflow": ["name": "unload"]],
      ],
      ["id": "child", "workflow": ["name": "other"]],
    ],
  ]

  /// Steps that are done for each item.
  private static let stacks: JSON = [
    "name": "stacks", "version": 1, "timeout": "9d",
    "steps": [
      [
        "id": "demultiplex", "when": "$.input.go == true",
        "forEach": ["items": "${input.libraries[*]}", "as": "library", "maxParallel": 4],
        "http": ["service": "pipeline", "method": "PUT", "path": "/jobs/${index}"],
        "compensation": ["http": ["service": "pipeline", "method": "DELETE", "path": "/jobs/${index}"]],
      ],
      [
        "id": "scan", "forEach": ["items": "${input.libraries[*]}", "as": "a_rather_long_name_of_an_item"],
        "signal": ["name": "scanned"], "timeout": "1h",
      ],
      ["id": "wait", "forEach": ["items": [1, 2]], "delay": ["for": "1s"]],
    ],
  ]

  /// Groups inside each other, beside each other, with members that follow steps outside.
  private static let groups: JSON = [
    "name": "groups", "version": 1, "timeout": "9d",
    "steps": [
      ["id": "first", "delay": ["for": "1s"]],
      [
        "id": "outer", "when": "$.input.x == 1", "timeout": "1d",
        "steps": [
          ["id": "a", "delay": ["for": "1s"]],
          [
            "id": "inner", "dependsOn": [],
            "steps": [
              ["id": "b", "delay": ["for": "1s"]], ["id": "c", "dependsOn": ["b", "side"], "delay": ["for": "1s"]],
              ["id": "d", "dependsOn": ["b"], "delay": ["for": "1s"]],
            ],
          ],
          ["id": "e", "dependsOn": ["inner", "a"], "delay": ["for": "1s"]],
        ],
      ],
      ["id": "side", "dependsOn": ["first"], "delay": ["for": "1s"]],
      ["id": "last", "dependsOn": ["outer", "side"], "delay": ["for": "1s"]],
      ["id": "alone", "dependsOn": ["outer"], "steps": [["id": "f", "delay": ["for": "1s"]]]],
    ],
  ]

  private static func script(_ file: JSON, _ svg: String) -> String {
    """
    (async () => {
      const [{ layout, graph }, { stepsOf }] = await Promise.all([import('/console/graph.js'), import('/console/order.js')]);
      const steps = stepsOf(\(file.text()));
      const read = (svg) => ({
        name: svg.localName, box: svg.getAttribute('viewBox'), width: svg.getAttribute('width'), height: svg.getAttribute('height'),
        nodes: [...svg.querySelectorAll('g.node')].map((node) => [node.getAttribute('data-key'), node.getAttribute('transform'),
          node.getAttribute('aria-label'), node.querySelector('title').textContent, node.querySelector('.node-state').textContent,
          node.querySelector('path.pivot')?.getAttribute('d') ?? '', node.querySelector('.node-more')?.textContent ?? '',
          [...node.querySelectorAll('rect.box')].map((one) => one.getAttribute('transform') ?? ''),
          ['.node-name', '.node-state'].map((one) => node.querySelector(one).getAttribute('y')),
          [...node.querySelectorAll('path.sign')].map((one) => `${one.getAttribute('d')} ${one.getAttribute('transform')}`)]),
        edges: [...svg.querySelectorAll('path.edge')].map((edge) => edge.getAttribute('d')),
      });
      const file = new DOMParser().parseFromString(\(JSON.string(svg).text()), 'image/svg+xml').documentElement;
      return { layers: layout(steps).layers.map((layer) => layer.map((node) => node.step ? node.id : '')),
        console: read(graph(steps, { room: 100000 })), file: read(file) };
    })()
    """
  }
}
