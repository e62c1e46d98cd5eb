import java.io.*;
import java.net.URI;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.logging.LogManager;
import java.util.stream.*;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.SafeModeAction;
import org.apache.hadoop.ha.HAServiceProtocol.RequestSource;
import org.apache.hadoop.ha.HAServiceProtocol.StateChangeRequestInfo;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.protocol.DatanodeInfo;
import org.apache.hadoop.hdfs.protocol.HdfsConstants;
import org.apache.hadoop.hdfs.protocol.HdfsConstants.DatanodeReportType;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.metrics2.lib.DefaultMetricsSystem;
import org.apache.log4j.PropertyConfigurator;
import sun.misc.Signal;

/**
 * A real HDFS for tests: one name node and a few data nodes on 127.0.0.1, all data below one folder.
 * Prints one JSON line when files can be written; further lines answer commands read from stdin.
 *
 * --data DIR           all state
 * --datanodes N        default 1
 * --join HOST:PORT     only data nodes, for the name node at that rpc address; --first I is the first one's index
 * --ha ID              one of two name nodes that share their edits, each in a process of its own; waits until it is made
 *                      active. What they are called and where they listen is said with --set. The one named "one" comes first
 *                      and makes what both have in DIR
 * --set KEY=VALUE      any Hadoop property
 * --stdin              read commands (see run); the end of stdin ends the process
 */
public final class MiniHdfs {
  private static final String HOST = "127.0.0.1";
  private static final long START_LIMIT_MS = 60_000;
  private static final StateChangeRequestInfo BY_HAND = new StateChangeRequestInfo(RequestSource.REQUEST_BY_USER_FORCED);

  private final Path data;
  private final HdfsConfiguration conf = new HdfsConfiguration();
  private final SortedMap<Integer, Running> datanodes = new TreeMap<>();
  private NameNode namenode; // null when this process only runs data nodes
  private DistributedFileSystem fs;

  private record Running(DataNode node, long since) {}

  private MiniHdfs(Path data) {
    this.data = data;
  }

  public static void main(String[] args) {
    try {
      start(args);
    } catch (Exception e) {
      e.printStackTrace();
      System.exit(1); // threads of Hadoop would keep the process alive
    }
  }

  private static void start(String[] args) throws Exception {
    long began = System.currentTimeMillis();
    Map<String, List<String>> flags = parse(args);
    Path data = Path.of(flag(flags, "data", null)).toAbsolutePath();
    Files.createDirectories(data);
    logTo(data.resolve("hadoop-" + ProcessHandle.current().pid() + ".log"));
    DefaultMetricsSystem.setMiniClusterMode(true); // several data nodes share this process

    MiniHdfs hdfs = new MiniHdfs(data);
    hdfs.configure(flags);
    for (String name : List.of("TERM", "INT")) Signal.handle(new Signal(name), signal -> hdfs.exit());

    int count = Integer.parseInt(flag(flags, "datanodes", "1"));
    int first = Integer.parseInt(flag(flags, "first", "0"));
    String join = flag(flags, "join", "");
    String ha = flag(flags, "ha", "");
    if (!ha.isEmpty()) {
      hdfs.startOneOfTwo(ha);
    } else if (join.isEmpty()) {
      hdfs.startNameNode();
    } else {
      hdfs.conf.set("fs.defaultFS", "hdfs://" + join);
      hdfs.connect();
    }
    for (int i = first; i < first + count; i++) hdfs.startDataNode(i);
    hdfs.awaitReady();
    System.out.println(hdfs.describe(System.currentTimeMillis() - began));
    if (flags.containsKey("stdin")) hdfs.serveCommands(); // otherwise the Hadoop threads keep the process alive
  }

  private void configure(Map<String, List<String>> flags) {
    conf.set("dfs.namenode.name.dir", data.resolve("name").toUri().toString());
    conf.set("fs.defaultFS", "hdfs://" + HOST + ":" + flag(flags, "rpc-port", "0"));
    conf.set("dfs.namenode.http-address", HOST + ":" + flag(flags, "http-port", "0"));
    conf.set("hadoop.tmp.dir", data.resolve("tmp").toString());
    conf.setInt("dfs.replication", 1);
    // Quick start, and a dead data node is noticed after some 15 s (2 * recheck + 10 * heartbeat), not 10.5 min.
    conf.setInt("dfs.namenode.safemode.extension", 0);
    conf.setInt("dfs.heartbeat.interval", 1);
    conf.setInt("dfs.namenode.heartbeat.recheck-interval", 1000);
    // With one to three data nodes there is no spare to replace a failed one by in the middle of a write.
    conf.set("dfs.client.block.write.replace-datanode-on-failure.policy", "NEVER");
    // Closing a file asks the name node whether the block has arrived; the default is to ask again after 400 ms.
    conf.setInt("dfs.client.block.write.locateFollowingBlock.initial.delay.ms", 5);
    conf.setInt("dfs.client.block.write.locateFollowingBlock.retries", 12);
    conf.setInt("ipc.client.connect.max.retries", 3);
    // Nothing here has to survive the machine, and each sync of the edit log costs every small upload some ms.
    conf.setBoolean("dfs.namenode.edits.noeditlogchannelflush", true);
    for (String pair : flags.getOrDefault("set", List.of())) {
      int at = pair.indexOf('=');
      conf.set(pair.substring(0, at), pair.substring(at + 1));
    }
  }

  private void startNameNode() throws IOException {
    if (!Files.exists(data.resolve("name/current/VERSION"))) NameNode.format(conf);
    namenode = NameNode.createNameNode(new String[0], conf);
    // A restart within this process keeps the ports that were chosen.
    conf.set("fs.defaultFS", "hdfs://" + HOST + ":" + namenode.getNameNodeAddress().getPort());
    conf.set("dfs.namenode.http-address", HOST + ":" + namenode.getHttpAddress().getPort());
    connect();
  }

  private void startOneOfTwo(String id) throws IOException {
    conf.set("dfs.ha.namenode.id", id);
    conf.set("dfs.namenode.name.dir", data.resolve("name-" + id).toUri().toString());
    // Edits in a folder that both see: all that two processes on one machine need.
    conf.set("dfs.namenode.shared.edits.dir", data.resolve("shared").toUri().toString());
    if (id.equals("one")) {
      NameNode.format(conf);
      copy(data.resolve("name-one"), data.resolve("name-two"));
    }
    namenode = NameNode.createNameNode(new String[0], conf);
    connect();
  }

  private static void copy(Path from, Path to) throws IOException {
    try (Stream<Path> all = Files.walk(from)) {
      for (Path path : (Iterable<Path>) all::iterator) Files.copy(path, to.resolve(from.relativize(path)));
    }
  }

  private void connect() throws IOException {
    conf.setBoolean("fs.hdfs.impl.disable.cache", true);
    fs = (DistributedFileSystem) DistributedFileSystem.get(conf);
  }

  private void startDataNode(int index) throws IOException {
    HdfsConfiguration own = new HdfsConfiguration(conf);
    own.set("dfs.datanode.data.dir", data.resolve("data-" + index).toUri().toString());
    own.set("dfs.datanode.hostname", HOST); // the host that WebHDFS redirects name
    for (String key : List.of("address", "http.address", "ipc.address")) {
      own.set("dfs.datanode." + key, HOST + ":0");
    }
    long since = System.currentTimeMillis();
    datanodes.put(index, new Running(DataNode.createDataNode(new String[0], own), since));
  }

  private void stopDataNode(int index) {
    if (!datanodes.containsKey(index)) throw new IllegalArgumentException("no data node " + index);
    datanodes.remove(index).node().shutdown();
  }

  private void awaitReady() throws Exception {
    if (datanodes.isEmpty()) return; // a name node alone stays in safe mode until others have reported its blocks
    long deadline = System.currentTimeMillis() + START_LIMIT_MS;
    while (!isReady()) {
      if (System.currentTimeMillis() > deadline) throw new IOException("not ready in time, see the log in " + data);
      Thread.sleep(50);
    }
  }

  private boolean isReady() {
    try {
      return allReported() && !fs.isInSafeMode();
    } catch (IOException e) {
      return false; // the connection to a name node that was stopped meanwhile
    }
  }

  /**
   * Each data node of this process is known under its present port (the name node goes on believing in a killed
   * one for a while) and has reported its blocks since it started (safe mode does not wait for the last few).
   */
  private boolean allReported() throws IOException {
    DatanodeInfo[] live = fs.getDataNodeStats(DatanodeReportType.LIVE);
    return datanodes.values().stream().allMatch(running -> Arrays.stream(live)
        .anyMatch(info -> info.getDatanodeUuid().equals(running.node().getDatanodeUuid())
            && info.getInfoPort() == running.node().getInfoPort()
            && info.getLastBlockReportTime() >= running.since()));
  }

  private String describe(long ms) {
    String nodes = datanodes.entrySet().stream()
        .map(e -> "{\"index\":" + e.getKey() + ",\"url\":\"http://" + HOST + ":" + e.getValue().node().getInfoPort() + "\"}")
        .collect(Collectors.joining(","));
    StringBuilder line = new StringBuilder("{\"ready\":true,\"pid\":" + ProcessHandle.current().pid());
    if (namenode != null) {
      int http = namenode.getHttpAddress().getPort();
      line.append(",\"webhdfs\":\"http://" + HOST + ":" + http + "/webhdfs/v1\"");
    }
    URI rpc = fs.getUri();
    return line + ",\"rpc\":\"" + rpc.getAuthority() + "\",\"datanodes\":[" + nodes + "],\"ms\":" + ms + "}";
  }

  /** One command a line, one JSON line back. The end of stdin ends the process, so no orphan outlives its test. */
  private void serveCommands() throws IOException {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = in.readLine()) != null; ) {
      if (line.isBlank()) continue;
      try {
        System.out.println(run(line.trim().split("\\s+")));
      } catch (Exception e) {
        System.out.println("{\"error\":\"" + String.valueOf(e.getMessage()).replaceAll("[\"\\\\\\s]+", " ") + "\"}");
      }
    }
    exit();
  }

  private String run(String[] words) throws Exception {
    long began = System.currentTimeMillis();
    switch (words[0] + (words.length > 1 ? " " + words[1] : "")) {
      case "safemode on" -> fs.setSafeMode(SafeModeAction.ENTER);
      case "safemode off" -> fs.setSafeMode(SafeModeAction.LEAVE);
      case "quota set" -> fs.setQuota(new org.apache.hadoop.fs.Path(words[2]), HdfsConstants.QUOTA_DONT_SET, Long.parseLong(words[3]));
      case "quota clear" -> fs.setQuota(new org.apache.hadoop.fs.Path(words[2]), HdfsConstants.QUOTA_DONT_SET, HdfsConstants.QUOTA_RESET);
      case "ha active" -> namenode.getRpcServer().transitionToActive(BY_HAND);
      case "ha standby" -> namenode.getRpcServer().transitionToStandby(BY_HAND);
      case "namenode stop" -> stopNameNode();
      case "namenode start" -> {
        startNameNode();
        awaitReady();
      }
      case "datanode stop" -> stopDataNode(Integer.parseInt(words[2]));
      case "datanode start" -> {
        startDataNode(Integer.parseInt(words[2]));
        awaitReady();
      }
      default -> {
        switch (words[0]) {
          case "fill" -> fill(Path.of(words[1]));
          case "age" -> age(new org.apache.hadoop.fs.Path(words[1]), Long.parseLong(words[2]));
          default -> throw new IllegalArgumentException("unknown command " + words[0]);
        }
      }
    }
    return describe(System.currentTimeMillis() - began);
  }

  /** Writes a small file at each path that the given local file names, one a line; faster than HTTP can. */
  private void fill(Path list) throws Exception {
    byte[] body = "content".getBytes();
    ExecutorService pool = Executors.newFixedThreadPool(16);
    List<Future<?>> jobs = new ArrayList<>();
    for (String name : Files.readAllLines(list)) {
      jobs.add(pool.submit(() -> {
        try (FSDataOutputStream out = fs.create(new org.apache.hadoop.fs.Path(name))) {
          out.write(body);
        }
        return null;
      }));
    }
    pool.shutdown();
    for (Future<?> job : jobs) job.get();
  }

  /** Makes everything at and below a path as old as one that was changed {@code ms} ago. */
  private void age(org.apache.hadoop.fs.Path path, long ms) throws IOException {
    for (FileStatus status : fs.listStatus(path)) {
      if (status.isDirectory()) age(status.getPath(), ms);
      else fs.setTimes(status.getPath(), System.currentTimeMillis() - ms, -1);
    }
    fs.setTimes(path, System.currentTimeMillis() - ms, -1);
  }

  private void stopNameNode() {
    namenode.stop();
    namenode.join();
    namenode = null;
  }

  /** Not a shutdown hook: Hadoop's own stop code fails once the JVM is already going down. */
  private synchronized void exit() {
    for (Running running : datanodes.values()) running.node().shutdown();
    if (namenode != null) stopNameNode();
    System.exit(0);
  }

  private static Map<String, List<String>> parse(String[] args) {
    Map<String, List<String>> flags = new HashMap<>();
    for (int i = 0; i < args.length; i++) {
      String name = args[i].substring(2);
      String value = i + 1 < args.length && !args[i + 1].startsWith("--") ? args[++i] : "";
      flags.computeIfAbsent(name, k -> new ArrayList<>()).add(value);
    }
    return flags;
  }

  private static String flag(Map<String, List<String>> flags, String name, String fallback) {
    List<String> values = flags.get(name);
    if (values == null && fallback == null) throw new IllegalArgumentException("--" + name + " is missing");
    return values == null ? fallback : values.get(0);
  }

  private static void logTo(Path file) {
    Properties p = new Properties();
    p.setProperty("log4j.rootLogger", System.getProperty("log", "INFO") + ",file");
    p.setProperty("log4j.appender.file", "org.apache.log4j.FileAppender");
    p.setProperty("log4j.appender.file.File", file.toString());
    p.setProperty("log4j.appender.file.layout", "org.apache.log4j.PatternLayout");
    p.setProperty("log4j.appender.file.layout.ConversionPattern", "%d{ISO8601} %p %c{1}: %m%n");
    PropertyConfigurator.configure(p);
    LogManager.getLogManager().reset(); // Jersey's chatter on stderr
  }
}
