import Foundation
import JSON
import Testing

/// The browser changes no digit of a number.
extension ConsoleTests {
  /// A JavaScript number cannot hold the first of these, and JSON.parse does not keep the text of the others.
  private static let exact =
    #"{"10":1,"2":2,"__proto__":{"z":1},"id":3544790567247868102,"price":1.10,"tiny":1E-30,"minus":-0,"long":0.12345678901234567890123,"list":[1.0,9007199254740993]}"#

  @Test("Numbers typed into start, signal, retry, skip and resolve are stored with exactly these digits")
  func exactValues() async throws {
    try await ConsoleSite.run { site in
      let url = site.engine.url
      #expect(try await site.site.call("POST", "\(url)/v1/workflows", body: Self.workflow).status == 201)
      let page = try await site.page("#/workflow/exact", as: "nora")

      // 1. Start, by a form made from the schema.
      try await page.click("[data-key=start]")
      try await fill(page, ["barcode": "TS-1009-1", "amount": "3544790567247868102", "price": "1.10"])
      try await page.run("document.querySelector('dialog textarea').value = \(JSON.string(Self.exact).text())")
      try await page.click("dialog button[type=submit]")
      try await page.wait("location.hash.startsWith('#/saga/')")
      let saga = try #require(try await page.run("location.hash.split('/')[2]").stringValue)
      let input = #"{"barcode":"TS-1009-1","amount":3544790567247868102,"price":1.10,"rest":\#(Self.exact)}"#
      #expect(try await data(of: "sagaStarted", site, saga)["saga"]?["input"]?.text() == input)

      // 2. The page shows the stored digits, in the input and in the event.
      try await page.wait("document.querySelector('details.event').open = true")
      for digits in ["3544790567247868102", "1.10", "1E-30", "-0", "0.12345678901234567890123", "9007199254740993"] {
        try await page.waitForText(digits, in: "section[aria-label='Input and output']")
        try await page.wait(
          "document.querySelector('details.event pre')?.textContent.includes(\(JSON.string(digits).text()))")
      }

      // 3. A signal, by a form made from its schema.
      try await page.click("[data-key=\"signal confirm\"]")
      try await fill(page, ["amount": "9007199254740993", "price": "2.50"])
      try await page.click("dialog button[type=submit]")
      try await page.waitForText("stuck", in: "#status")
      #expect(
        try await data(of: "signalReceived", site, saga)["body"]?.text() == #"{"amount":9007199254740993,"price":2.50}"#
      )

      // 4. Retry with other input: the form shows the stored digits, and sends the shown ones.
      try await page.click("button[data-verb=retry]")
      try await page.click("dialog details[data-key=other-input] summary")
      try await page.wait("document.querySelector('dialog details textarea').value.includes('3544790567247868102')")
      try await page.run(
        """
        (() => { const area = document.querySelector('dialog details textarea');
          area.value = area.value.replace('TS-1009-1', 'TS-1009-2'); })()
        """)
      try await act(page, "the label was wrong")
      try await page.wait("!document.querySelector('dialog')")
      #expect(
        try await data(of: "operatorRetried", site, saga)["input"]?.text()
          == input.replacing("TS-1009-1", with: "TS-1009-2"))

      // 5. Skip, with an output.
      try await page.wait(
        "[...document.querySelectorAll('.event-type')].filter((one) => one.textContent === 'stepFailed').length === 2")
      try await page.waitForText("stuck", in: "#status")
      try await page.click("button[data-verb=skip]")
      try await page.run("document.querySelector('dialog textarea.code').value = \(JSON.string(Self.exact).text())")
      try await act(page, "done by hand")
      try await page.waitForText("completed", in: "#status")
      #expect(try await data(of: "operatorSkipped", site, saga)["output"]?.text() == Self.exact)
      let ended = try await site.site.call("GET", "\(url)/v1/sagas/\(saga)")
      #expect(ended.body["output"]?["skipped"]?.text() == Self.exact)

      try await resolve(page, site)
      // The browser logs each refusal.
      #expect(page.complaints.allSatisfy { $0.contains("400 (Bad Request)") }, "\(page.complaints)")
    }
  }

  private func resolve(_ page: ChromiumPage, _ site: ConsoleSite) async throws {
    _ = try await site.site.call(
      "PUT", "\(site.lab.url)/lab/faults", body: ["faults": ["notification.send:drop-answer"]])
    let started = try await site.site.call(
      "POST", "\(site.engine.url)/v1/workflows/exact/sagas",
      body: ["input": ["barcode": "TS-1", "amount": 1, "price": 1, "rest": [:]]])
    let saga = try #require(started.body["id"]?.stringValue)
    _ = try await site.site.call(
      "POST", "\(site.engine.url)/v1/sagas/\(saga)/signals/confirm", body: ["amount": 1, "price": 1])
    try await site.wait(for: saga, "stuck")
    try await page.open("\(site.engine.url)/#/saga/\(saga)")
    try await page.click("button[data-verb=resolve]")
    try await page.wait("document.querySelector('#verb-outcome')")
    try await page.choose("happened", in: "#verb-outcome")
    // The dialog shows why a text is not JSON, or why the engine refuses a number. It changes neither.
    for (text, words) in [
      ("{\"a\":1,\"a\":2}", "comes twice"), ("{\"a\":01}", "Line 1, column 6"), ("{\"a\":1e400}", "too large"),
    ] {
      try await page.run("document.querySelector('dialog textarea.code').value = \(JSON.string(text).text())")
      try await act(page, "looked at the outbox")
      try await page.waitForText(words, in: "dialog .problem")
    }
    try await page.run("document.querySelector('dialog textarea.code').value = \(JSON.string(Self.exact).text())")
    try await act(page, "looked at the outbox")
    try await page.wait("!document.querySelector('dialog')")
    #expect(try await data(of: "operatorResolved", site, saga)["output"]?.text() == Self.exact)
  }

  @Test("The console's JSON reader and writer give back every text, and refuse what the engine refuses")
  func reader() async throws {
    try await ConsoleSite.run { site in
      let page = try await site.page()
      let texts = [
        "3544790567247868102", "1.10", "1e400", "-0", "1E5", "1e+5", "1e-400", "0.30000000000000004", "-1.0",
        Self.exact, #"{"b":1,"a":{"3":1,"1":2},"constructor":null,"toString":""}"#, "[]", "{}", #"[null,true,"ü"]"#,
      ]
      for text in texts {
        let same = try await page.run(
          """
          import('/console/json.js').then(({ read, write, pretty }) =>
            [write(read(\(JSON.string(text).text()))), write(read(pretty(read(\(JSON.string(text).text())))))])
          """)
        #expect(same == [.string(text), .string(text)], "\(text)")
      }
      for text in [
        "", "01", "1.", ".5", "+1", "-", "NaN", "1e", "{\"a\":1,\"a\":2}", "[1,]", "\"\\ud800\"", "\"\n\"", "1 2",
        "'a'",
      ] {
        let refused = try await page.run(
          """
          import('/console/json.js').then(({ read, NotJSON }) => {
            try { read(\(JSON.string(text).text())); return 'taken'; } catch (error) { return error instanceof NotJSON; }
          })
          """)
        #expect(refused == true, "\(text)")
      }
      // An invisible character is shown as an escape.
      let shown = try await page.run(
        "import('/console/json.js').then(({ pretty }) => pretty('a\\u202eb\\u200bc\\u00e9'))")
      #expect(shown == #""a\u202eb\u200bcé""#)
    }
  }

  private static let workflow: JSON = [
    "name": "exact", "version": 1, "timeout": "1h",
    "inputSchema": [
      "type": "object", "required": ["barcode", "amount", "price", "rest"],
      "properties": [
        "barcode": ["type": "string"], "amount": ["type": "integer"], "price": ["type": "number"], "rest": [:],
      ],
    ],
    "steps": [
      [
        "id": "confirm",
        "signal": [
          "name": "confirm",
          "schema": [
            "type": "object", "required": ["amount", "price"],
            "properties": ["amount": ["type": "integer"], "price": ["type": "number"]],
          ],
        ],
      ],
      [
        "id": "tell", "pivot": true, "retry": ["maxAttempts": 1],
        "http": [
          "service": "notification", "method": "PUT", "path": "/messages/${steps.tell.uuid}",
          "body": ["recipient": "a@lab.example", "subject": "On its way"],
        ],
        "compensation": "none",
      ],
      [
        "id": "run", "retry": ["maxAttempts": 1],
        "http": [
          "service": "sequencing", "method": "PUT", "path": "/runs/${steps.run.uuid}",
          "body": ["sampleId": "S-1", "barcode": "${input.barcode}"],
        ],
        "compensation": "none",
      ],
    ],
    "output": ["skipped": "${steps.run.output}"],
  ]

  /// Types into the fields of a form, by their labels.
  private func fill(_ page: ChromiumPage, _ values: [String: String]) async throws {
    for (label, value) in values.sorted(by: { $0.key < $1.key }) {
      try await page.wait(
        """
        (() => { const label = [...document.querySelectorAll('dialog label')].find((one) => one.textContent === '\(label)');
          const input = label && document.getElementById(label.htmlFor); input?.select(); return input === document.activeElement; })()
        """)
      try await page.type(value)
    }
  }

  private func act(_ page: ChromiumPage, _ reason: String) async throws {
    try await page.run("document.getElementById('reason').select()")
    try await page.type(reason)
    try await page.click("dialog button[type=submit]")
  }

  /// Returns the data of the newest event of a type.
  private func data(of type: String, _ site: ConsoleSite, _ saga: String) async throws -> JSON {
    try #require(try await site.history(of: saga).last { $0["type"]?.stringValue == type }?["data"])
  }
}
