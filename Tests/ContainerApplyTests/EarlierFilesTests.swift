import FoundationEssentials
import Testing
import VoltCore
import VoltWorkload

@testable import ContainerEngine
@testable import VoltRollout

/// Files as the version before wrote them: they are read, and come out the same, so that the digests that were made of
/// them go on to be right.
@Suite struct EarlierFilesTests {
    /// `containers/web-1/spec.json` of a workload with everything that a manifest can say.
    static let spec = #"""
        {"addCapabilities":["net_bind_service","setuid"],"command":["/bin/httpd",\#
        "-f","-p","80","-h","/www"],"dropCapabilities":["all"],"environment":{"LOG_LEVEL":"info",\#
        "PATH":"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},\#
        "health":{"intervalMilliseconds":1000,"probe":{"http":{"path":"/","port":80}},\#
        "retries":4,"startPeriodMilliseconds":7000,"timeoutMilliseconds":3000},\#
        "hostname":"web","image":"busybox","imageDigest":"sha256:4bae7a312f80d72b0d95b2819fdb87a6ff1313e5fed3cecc2772fb20e7678398",\#
        "labels":{},"limits":{"cpus":0.5,"memory":67108864,"pids":50},"lowers":["sha256:92f0b105262e5b29346ae469953df874fe36bfdb3a254650a66c277f3a8391bf"],\#
        "mounts":[{"isVolume":true,"readOnly":false,"source":"web.data","target":"/srv/data"},\#
        {"allowsDevices":true,"allowsSetuid":true,"isVolume":true,"readOnly":false,"source":"web.tools","staysEmpty":true,"target":"/srv/tools"},\#
        {"isVolume":false,"readOnly":true,"source":"/srv/source/site","target":"/www"}],\#
        "name":"web-1","ports":[{"address":"127.0.0.1","containerPort":80,"hostPort":18099,"transport":"tcp"}],\#
        "readOnly":true,"removeWhenDone":false,"restart":"always","revision":"r1",\#
        "stopSignal":"SIGTERM","stopTimeoutMilliseconds":10000,"user":"","workingDirectory":"/",\#
        "workload":"web"}
        """#

    /// `workloads/web/workload.json` of the same.
    static let record = #"""
        {"container":"web-1","deployed":"2026-11-30T18:16:53.628Z","fingerprint":"sha256:8c740ca9d16e68ff59893623669396381b5f882192a606a2099bf6646c46a9af",\#
        "generation":1,"history":[{"generation":1,"revision":"r1"}],"image":"sha256:4bae7a312f80d72b0d95b2819fdb87a6ff1313e5fed3cecc2772fb20e7678398",\#
        "images":{"busybox":"sha256:4bae7a312f80d72b0d95b2819fdb87a6ff1313e5fed3cecc2772fb20e7678398"},\#
        "revision":"r1","started":"sha256:c03cd6c323b45323722b9fa368e571e7ce0903c90fc7ce41442dcb920f2f3105",\#
        "version":1}
        """#

    @Test("the definition of a container is read and written as before, and has the digest of before")
    func spec() throws {
        let spec = try JSONDecoder().decode(ContainerSpec.self, from: Data(Self.spec.utf8))
        #expect(String(decoding: try JSONFile.encode(spec), as: UTF8.self) == Self.spec)
        #expect(
            try WorkloadPlan.digest(of: spec).description
                == "sha256:c03cd6c323b45323722b9fa368e571e7ce0903c90fc7ce41442dcb920f2f3105")
        var health = HealthCheck(probe: .http(port: 80, path: "/"))
        health.intervalMilliseconds = 1000
        health.timeoutMilliseconds = 3000
        health.retries = 4
        health.startPeriodMilliseconds = 7000
        #expect(spec.health == health)
        #expect(spec.restart == .always)
        #expect(spec.limits == ResourceLimits(memory: 64 << 20, cpus: 0.5, pids: 50))
        #expect(spec.ports == [PublishedPort(address: "127.0.0.1", hostPort: 18099, containerPort: 80)])
        #expect(
            spec.mounts == [
                VolumeMount(source: "web.data", isVolume: true, target: "/srv/data", readOnly: false),
                VolumeMount(
                    source: "web.tools", isVolume: true, target: "/srv/tools", readOnly: false,
                    allowsSetuid: true, allowsDevices: true, staysEmpty: true),
                VolumeMount(source: "/srv/source/site", isVolume: false, target: "/www", readOnly: true),
            ])
    }

    @Test("the record of a workload is read and written as before")
    func record() throws {
        let record = try JSONDecoder().decode(WorkloadRecord.self, from: Data(Self.record.utf8))
        #expect(String(decoding: try JSONFile.encode(record), as: UTF8.self) == Self.record)
        #expect(record.generation == 1 && record.revision == "r1" && record.history?.count == 1)
    }

    @Test(
        "every kind of health check is read and written as before",
        arguments: [
            #"{"exec":{"_0":["/bin/check","-q"]}}"#, #"{"tcp":{"port":80}}"#,
            #"{"http":{"path":"/healthz","port":80}}"#,
        ])
    func probes(text: String) throws {
        let probe = try JSONDecoder().decode(HealthCheck.Probe.self, from: Data(text.utf8))
        #expect(String(decoding: try JSONFile.encode(probe), as: UTF8.self) == text)
    }

    @Test(
        "every use of a secret is read and written as before",
        arguments: [
            #"{"variables":{}}"#, #"{"chosen":{"_0":{"URL":"database.url"}}}"#,
            #"{"file":{"_0":{"gid":0,"key":"d","mode":292,"target":"/etc/d","uid":33}}}"#,
        ])
    func secrets(text: String) throws {
        let use = try JSONDecoder().decode(SecretReference.Use.self, from: Data(text.utf8))
        #expect(String(decoding: try JSONFile.encode(use), as: UTF8.self) == text)
    }
}
