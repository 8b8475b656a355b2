import FoundationEssentials
import Testing
import VoltCore
import VoltWorkload

@Suite struct StatusTests {
    private func status(_ text: String) throws -> WorkloadStatus {
        try JSONDecoder().decode(WorkloadStatus.self, from: Data(text.utf8))
    }

    private func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    @Test("the states of a status are words, and a word that is not known is kept")
    func states() throws {
        for state in [RunState.starting, .running, .restarting, .paused, .exited, .absent] {
            #expect(RunState(rawValue: state.rawValue) == state)
        }
        for health in [HealthState.none, .starting, .healthy, .unhealthy] {
            #expect(HealthState(rawValue: health.rawValue) == health)
        }
        let line = #"{"health":"dozing","restarts":0,"state":"migrating","workload":"web"}"#
        let read = try status(line)
        #expect(read.state == .other("migrating") && read.health == .other("dozing"))
        #expect("\(read.state) \(read.health)" == "migrating dozing")
        #expect(try text(read) == line)
    }

    @Test("a status may have services, each with a name, a state and a health")
    func services() throws {
        let line =
            #"{"health":"healthy","restarts":0,"services":[{"health":"healthy","name":"db","state":"running"},"#
            + #"{"health":"none","name":"web","restarts":2,"revision":"r1","state":"paused"}],"#
            + #""state":"running","workload":"shop"}"#
        let read = try status(line)
        #expect(
            read.services == [
                ServiceStatus(name: "db", state: .running, health: .healthy),
                ServiceStatus(name: "web", state: .paused, health: .none, revision: "r1", restarts: 2),
            ])
        #expect(try text(read) == line)
    }

    @Test("events may name a service, and one that is not a text is no reason to lose the line")
    func events() throws {
        let line = #"{"event":"log","line":"x","service":"db","stream":"stdout"}"#
        let event = try JSONDecoder().decode(ApplyEvent.self, from: Data(line.utf8))
        #expect(event == .log(stream: "stdout", line: "x", service: "db"))
        #expect(try text(event) == line)
        let odd = line.replacing(#""db""#, with: "7")
        #expect(
            try JSONDecoder().decode(ApplyEvent.self, from: Data(odd.utf8))
                == .log(stream: "stdout", line: "x"))
    }

    @Test("a mount says nothing about modes that it does not have")
    func mounts() throws {
        let plain = #"{"isVolume":true,"readOnly":false,"source":"data","target":"/data"}"#
        let mount = try JSONDecoder().decode(VolumeMount.self, from: Data(plain.utf8))
        #expect(mount == VolumeMount(source: "data", isVolume: true, target: "/data", readOnly: false))
        #expect(try text(mount) == plain.replacing("/", with: "\\/"))
    }

    @Test("a status says what the workload waits for, and a reader of another kind sees it")
    func after() throws {
        let line =
            #"{"after":["db","cache"],"health":"none","restarts":0,"state":"running","workload":"web"}"#
        #expect(try status(line).after == ["db", "cache"])
        #expect(try text(try status(line)) == line)
    }
}
