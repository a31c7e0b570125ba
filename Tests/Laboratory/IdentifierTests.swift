import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values

@testable import Laboratory

/// Two texts that look the same name one thing.
@Suite("Identifiers of the laboratory", .timeLimit(.minutes(15)), .inTurn)
struct IdentifierTests {
  private static let composed = "MÜ-1"
  private static let decomposed = "MU\u{308}-1"

  @Test(
    "A barcode is given to one sample only, composed or decomposed",
    arguments: [
      (composed, decomposed), (decomposed, composed), ("Å-1", "\u{212B}-1"), ("K-1", "\u{212A}-1"),
    ])
  func once(first: String, second: String) async throws {
    let lab = try await LabBench()
    #expect(try await lab.send("PUT", LabBench.sample("a"), LabBench.tube(first), key: "a").status == 201)
    let refused = try await lab.send("PUT", LabBench.sample("b"), LabBench.tube(second), key: "b")
    #expect(refused.status == 409 && refused.code == "samples.barcodeTaken", "\(refused.body.text())")
    for barcode in [first, second] {
      let path = barcode.addingPercent
      #expect(
        try await lab.send("GET", "/samples/barcodes/\(path)").body["id"]?.stringValue
          == UniqueID.named("a").description)
      let found = try await lab.send("GET", "/samples/samples?barcode=\(path)").body["items"]?.arrayValue
      #expect(found?.count == 1)
      // An aliquot's label is a barcode, too.
      _ = try await lab.send("POST", LabBench.sample("a") + "/validation", key: "v")
      let aliquot = try await lab.send(
        "PUT", LabBench.sample("a") + "/aliquots/\(UniqueID.named(barcode))",
        ["barcode": .string(barcode), "volumeMl": 1],
        key: "aliquot \(path)")
      #expect(aliquot.code == "samples.barcodeTaken")
    }
    await lab.participants.close()
  }

  @Test("A place is held for one sample only, however its name is composed")
  func heldOnce() async throws {
    let lab = try await LabBench()
    #expect(try await lab.send("PUT", LabBench.allocation("a"), LabBench.place(Self.composed), key: "a").status == 201)
    #expect(
      try await lab.send("PUT", LabBench.allocation("b"), LabBench.place(Self.decomposed), key: "b").code
        == "storage.alreadyHeld")
    await lab.participants.close()
  }

  @Test(
    "An identifier has no invisible characters",
    arguments: [
      "TS\u{200B}-1", "TS-1\u{A0}", " TS-1", "TS-1 ", "TS\u{202E}-1", "TS\u{AD}-1", "TS\u{0}-1", "TS  1", "\u{301}TS",
      "TS\u{E000}",
      "TS\u{FE0F}", "TS\u{2800}", "TS\u{3164}",
    ])
  func unseen(text: String) async throws {
    let lab = try await LabBench()
    var tube = try #require(LabBench.tube(text).objectValue)
    let barcode = try await lab.send("PUT", LabBench.sample("a"), .object(tube), key: "a")
    #expect(barcode.status == 422 && barcode.body["errors"]?[0]?["pointer"] == "/barcode", "\(barcode.body.text())")
    tube["barcode"] = "TS-1"
    tube["patientId"] = .string(text)
    let patient = try await lab.send("PUT", LabBench.sample("a"), .object(tube), key: "b")
    #expect(patient.status == 422 && patient.body["errors"]?[0]?["pointer"] == "/patientId", "\(patient.body.text())")
    let sample = try await lab.send("PUT", LabBench.allocation("a"), LabBench.place(text), key: "c")
    #expect(sample.status == 422 && sample.body["errors"]?[0]?["pointer"] == "/sampleId")
    await lab.participants.close()
  }

  @Test(
    "An identifier that an older version stored is read, found, and not given out again",
    arguments: [
      decomposed, "TS\u{200B}-1", "MÜ-1 ",
    ])
  func older(barcode: String) async throws {
    let clock = FakeClock()
    let environment = Environment.fake(clock: clock)
    let store = MemoryStore(environment: environment)
    try await store.own(shards: nil)
    // The barcode as it was stored before barcodes were compared in normalization form C.
    let id = UniqueID.named("old")
    let declaration = Sample.Declaration(
      id: id, barcode: Barcode(stored: barcode), type: .blood, volume: Volume(nanolitres: 4_000_000))
    let event = SampleEvent.created(declaration)
    _ = try await store.append(
      Append(
        stream: CommandHandler.stream(of: Sample.self, id), expectedVersion: 0,
        events: [
          NewEvent(type: event.type, data: event.data.bytes(), meta: JSON.members(("causationId", "k")).bytes())
        ],
        appendID: environment.newID(), claims: [NewClaim(scope: "samples.barcode", value: barcode)]))
    let lab = try await LabBench(store: store)
    let path = barcode.addingPercent
    #expect(try await lab.send("GET", "/samples/barcodes/\(path)").body["id"]?.stringValue == id.description)
    #expect(try await lab.send("GET", LabBench.sample("old")).body["barcode"]?.stringValue == barcode)
    if VisibleText.fault(in: barcode) == nil {
      let normal = VisibleText.normal(barcode)
      let found = try await lab.send("GET", "/samples/barcodes/\(normal.addingPercent)")
      #expect(found.body["id"]?.stringValue == id.description)
      for text in [barcode, normal] {
        let refused = try await lab.send(
          "PUT", LabBench.sample("new"), LabBench.tube(text), key: "new \(text.utf8.count)")
        #expect(refused.code == "samples.barcodeTaken", "\(refused.body.text())")
      }
    }
    #expect(try await lab.send("POST", LabBench.sample("old") + "/validation", key: "v").status == 200)
    await lab.participants.close()
  }

  @Test("The time of collection is read from the declaration, and must be in the past")
  func collected() async throws {
    let lab = try await LabBench()
    for (name, time, status) in [("a", "2026-02-25T11:30:00Z", 200), ("b", "2099-01-01T00:00:00Z", 422)] {
      var tube = try #require(LabBench.tube("TS-\(name)").objectValue)
      tube["declaration"] = ["barcode": .string("TS-\(name)"), "collectedAt": .string(time)]
      let created = try await lab.send("PUT", LabBench.sample(name), .object(tube), key: name)
      #expect(created.status == 201 && created.body["collectedAt"]?.stringValue?.hasPrefix(time.prefix(10)) == true)
      #expect(try await lab.send("POST", LabBench.sample(name) + "/validation", key: "v\(name)").status == status)
    }
    var tube = try #require(LabBench.tube("TS-c").objectValue)
    tube["declaration"] = ["collectedAt": "25.02.2026"]
    let refused = try await lab.send("PUT", LabBench.sample("c"), .object(tube), key: "c")
    #expect(refused.status == 422 && refused.body["errors"]?[0]?["pointer"] == "/declaration/collectedAt")
    await lab.participants.close()
  }
}

extension String {
  /// Every byte as `%41`.
  fileprivate var addingPercent: String {
    utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
  }
}
