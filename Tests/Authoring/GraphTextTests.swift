import Foundation
import JSON
import TestSupport
import Testing
import Workflows

@testable import Authoring

@Suite("The pictures of a workflow as text", .timeLimit(.minutes(15)), .inTurn)
struct GraphTextTests {
  @Test("Mermaid has a line for each step and each arrow, with kinds, conditions, undos and pivots")
  func mermaid() throws {
    let text = MermaidGraph.text(of: try Drawn.definition(Drawn.kinds))
    #expect(
      text == """
        ---
        title: "kinds v2"
        ---
        flowchart LR
          s0["load<br/>robot.arm-1 · http<br/>undo"]
          s1("thaw<br/>delay<br/>when")
          s2(["approve<br/>signal approval"])
          s3["run<br/>sequencer · kafka<br/>pivot"]
          s4[["refuse<br/>fail STOPPED<br/>when"]]
          s0 --> s1
          s0 --> s2
          s1 --> s3
          s2 --> s3
          s3 --> s4
          classDef pivot stroke-width:4px
          class s3 pivot

        """)
  }

  @Test("a group is drawn before its members, with a dashed line, and what follows it behind the last ones")
  func groups() throws {
    let text = MermaidGraph.text(
      of: try Drawn.definition(
        """
        { "name": "g", "version": 1, "timeout": "1h", "steps": [
          { "id": "a", "delay": { "for": "1s" } },
          { "id": "g", "steps": [ { "id": "b", "delay": { "for": "1s" } },
                                  { "id": "c", "dependsOn": [], "delay": { "for": "1s" } } ] },
          { "id": "d", "delay": { "for": "1s" } } ] }
        """))
    let arrows = text.split(separator: "\n").filter { $0.contains("-->") }.map { $0.drop { $0 == " " } }
    #expect(arrows == ["s0 --> s1", "s1 --> s2", "s1 --> s3", "s2 --> s4", "s3 --> s4"])
    #expect(text.contains("  s1[\"g<br/>group\"]\n"))
    #expect(text.hasSuffix("  classDef group stroke-dasharray:6 3\n  class s1 group\n"))
  }

  @Test("a step that a signal or a workflow undoes names it")
  func undos() throws {
    let definition = try Drawn.definition(Drawn.undos)
    let mermaid = MermaidGraph.text(of: definition)
    #expect(mermaid.contains("  s0([\"scan<br/>signal scanned<br/>undo by signal taken-out\"])\n"))
    #expect(mermaid.contains("  s1[\"load<br/>robot · http<br/>undo by workflow unload\"]\n"))
    #expect(mermaid.contains("  s2[\"child<br/>other · workflow<br/>undo\"]\n"))
    let svg = try SVGGraph.text(of: definition)
    #expect(svg.contains("aria-label=\"scan: signal scanned, is undone by signal taken-out\""))
    #expect(svg.contains("aria-label=\"load: robot · http, is undone by workflow unload\""))
    #expect(svg.contains("aria-label=\"child: other · workflow, can be undone\""))
    #expect(svg.components(separatedBy: "class=\"sign sign-undo\"").count == 4)
  }

  private static let items = """
    { "name": "items", "version": 1, "timeout": "9d", "steps": [
      { "id": "demultiplex", "when": "$.input.go == true",
        "forEach": { "items": "${input.libraries[*]}", "as": "library", "maxParallel": 4 },
        "http": { "service": "pipeline", "method": "PUT", "path": "/jobs/${index}" }, "compensation": "none" },
      { "id": "wait", "forEach": { "items": [1, 2] }, "delay": { "for": "1s" } } ] }
    """

  @Test("a step with forEach is a stack that says for each of what it is done, and how many at once")
  func stacks() throws {
    let definition = try Drawn.definition(Self.items)
    let mermaid = MermaidGraph.text(of: definition)
    #expect(
      mermaid.contains(
        "  s0@{ shape: processes, label: \"demultiplex<br/>pipeline · http<br/>for each library #40;at most 4 at once#41;"
          + "<br/>when\" }\n"))
    #expect(
      mermaid.contains(
        "  s1@{ shape: processes, label: \"wait<br/>delay<br/>for each item #40;at most 10 at once#41;\" }\n"))
    let svg = try SVGGraph.text(of: definition)
    #expect(
      svg.contains("aria-label=\"demultiplex: pipeline · http, for each library (at most 4 at once), has a condition\"")
    )
    #expect(svg.contains("<text class=\"node-more\" x=\"12\" y=\"40\">for each library, 4 at once</text>"))
    #expect(svg.components(separatedBy: "class=\"node is-stack\"").count == 3)
    #expect(svg.components(separatedBy: "<rect class=\"box\"").count == 7, "three boxes each")
    #expect(svg.contains("transform=\"translate(6 6)\"/><rect"), "the last box of a stack is drawn first")
  }

  @Test(
    "no text ends a Mermaid label or begins a directive",
    arguments: [
      ("a\"]; click x", "a#34;#93;#59; click x"), ("%%{init: 1}%%", "#37;#37;#123;init#58; 1#125;#37;#37;"),
      ("a\nend", "a#10;end"), ("<script>", "#60;script#62;"), ("`x` #quot; $$", "#96;x#96; #35;quot#59; #36;#36;"),
      ("Kühlraum 7", "K#252;hlraum 7"), ("\u{202E}x", "#8238;x"),
    ])
  func escaped(_ text: String, _ written: String) {
    #expect(MermaidGraph.escaped(text) == written)
  }

  @Test("an SVG text is escaped, and has no character that XML forbids")
  func escapedXML() {
    #expect(SVGGraph.escaped("<a b='c'>&\"\n") == "&lt;a b=&#39;c&#39;&gt;&amp;&quot;&#10;")
    #expect(SVGGraph.escaped("a\u{0}\u{1B}\u{FFFF}ü") == "a\u{FFFD}\u{FFFD}\u{FFFD}ü")
  }

  @Test("SVG shows each step in a box, with its signs")
  func svg() throws {
    let text = try SVGGraph.text(of: try Drawn.definition(Drawn.kinds))
    #expect(text.hasPrefix("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"graph\" viewBox=\"0 0 876 128\" "))
    #expect(text.contains("<title>kinds v2</title>"))
    #expect(text.contains("<title>load: Loads &lt;the&gt; &quot;plate&quot; &amp; waits</title>"))
    #expect(text.contains("aria-label=\"load: robot.arm-1 · http, can be undone\""))
    #expect(text.contains("aria-label=\"thaw: delay, has a condition\""))
    #expect(text.contains("aria-label=\"run: sequencer · kafka, pivot\""))
    #expect(text.components(separatedBy: "class=\"pivot\"").count == 2)
    #expect(text.components(separatedBy: "<path class=\"edge\"").count == 6)
    #expect(text.contains("d=\"M196 64C214 64 214 32 232 32\""))
  }

  @Test("a step, a group and their signs say that they wait for a turn")
  func turns() throws {
    let definition = try Drawn.definition(
      """
      { "name": "t", "version": 1, "steps": [
        { "id": "g", "concurrency": { "key": "k" }, "steps": [ { "id": "a", "delay": { "for": "1s" } } ] },
        { "id": "b", "concurrency": { "key": "k" }, "delay": { "for": "1s" } } ] }
      """)
    let text = MermaidGraph.text(of: definition)
    #expect(text.contains("  s0[\"g<br/>group<br/>turn\"]\n") && text.contains("  s2(\"b<br/>delay<br/>turn\")\n"))
    let svg = try SVGGraph.text(of: definition)
    #expect(svg.contains("aria-label=\"b: delay, waits for its turn\""))
    #expect(svg.components(separatedBy: "class=\"sign sign-turn\"").count == 3)
  }

  @Test("a name that is too long for its box is drawn smaller, and then cut")
  func names() {
    let short = TextWidth.fit("load", into: 168)
    #expect([short.text, short.size] == ["load", "13.0"])
    let long = TextWidth.fit(String(repeating: "n", count: 22), into: 168)
    #expect([long.text, long.size] == [String(repeating: "n", count: 22), "11.9"])
    let cut = TextWidth.fit(String(repeating: "n", count: 60), into: 168)
    #expect(cut.size == "11.0")
    #expect(cut.text.hasSuffix("n…"))
    #expect(TextWidth.width(of: cut.text) * 11 <= 168.1)
  }

  @Test("a workflow of a thousand steps is drawn")
  func thousand() throws {
    let most = WorkflowChecker.maxSteps
    let definition = try Drawn.steps(
      (0..<most).map { step in step == 0 ? [] : step < 3 ? [step - 1] : [step - 1, step - 3] })
    #expect(MermaidGraph.text(of: definition).split(separator: "\n").count == 5 + most + 2 * most - 4)
    let svg = try SVGGraph.text(of: definition)
    #expect(svg.components(separatedBy: "<g class=\"node\"").count == most + 1)
  }
}
