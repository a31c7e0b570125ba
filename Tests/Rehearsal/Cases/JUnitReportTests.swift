import TestSupport
import Testing

@testable import Rehearsal

@Suite("JUnit's XML", .timeLimit(.minutes(15)), .inTurn)
struct JUnitReportTests {
  @Test("has a suite for each file and a case for each case, with escaped texts")
  func xml() {
    var suite = JUnitReport.Suite(name: "thaw v1", file: "a&b.json")
    suite.cases = [
      JUnitReport.Case(name: "good", line: 3, takes: .milliseconds(61_050), failure: nil),
      JUnitReport.Case(
        name: "5 < \"6\"", line: 9, takes: .zero, failure: (message: "a\nb", text: "<x> & ]]> \u{0}\u{1B}[31m\u{FFFE}")),
    ]
    #expect(
      JUnitReport([suite]).xml == """
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="saga test" tests="2" failures="1" errors="0" skipped="0">
          <testsuite name="thaw v1" file="a&amp;b.json" tests="2" failures="1" errors="0" skipped="0">
            <testcase name="good" classname="thaw v1" file="a&amp;b.json" line="3" time="61.050"/>
            <testcase name="5 &lt; &quot;6&quot;" classname="thaw v1" file="a&amp;b.json" line="9" time="0.000">
              <failure message="a&#10;b" type="difference">&lt;x&gt; &amp; ]]&gt; \u{FFFD}\u{FFFD}[31m\u{FFFD}</failure>
            </testcase>
          </testsuite>
        </testsuites>

        """)
  }

  @Test("cuts long texts")
  func bounds() {
    var suite = JUnitReport.Suite(name: String(repeating: "n", count: 5_000), file: "f")
    suite.cases = [
      JUnitReport.Case(
        name: "a", line: 1, takes: .zero, failure: (message: "m", text: String(repeating: "&", count: 100_000)))
    ]
    let xml = JUnitReport([suite]).xml
    #expect(xml.contains(String(repeating: "n", count: JUnitReport.longestAttribute) + "…\""))
    #expect(xml.contains(String(repeating: "&amp;", count: JUnitReport.longestText) + "…<"))
    #expect(!xml.contains(String(repeating: "&amp;", count: JUnitReport.longestText + 1)))
  }
}
