// The story with the official JavaScript client: node story.mjs MODULES KUBECONFIG NAMESPACE DEPLOYMENT EXEC?
import { createRequire } from "node:module";
import { PassThrough } from "node:stream";

const [modules, kubeconfig, namespace, deployment, exec] = process.argv.slice(2);
const k8s = createRequire(modules + "/")("@kubernetes/client-node");
const body = JSON.parse(deployment);
const name = body.metadata.name;
const config = new k8s.KubeConfig();
config.loadFromFile(kubeconfig);
const apps = config.makeApiClient(k8s.AppsV1Api);
const core = config.makeApiClient(k8s.CoreV1Api);

function isRolledOut(seen, image) {
  const status = seen.status ?? {};
  const wanted = seen.spec.replicas;
  return (
    seen.spec.template.spec.containers[0].image === image &&
    (status.observedGeneration ?? 0) >= seen.metadata.generation &&
    [status.replicas, status.updatedReplicas, status.availableReplicas].every((count) => count === wanted)
  );
}

async function rolledOut(image) {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  let stop = () => {};
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${image} did not roll out`)), 90_000);
    const done = (error) => { clearTimeout(timer); error ? reject(error) : resolve(); };
    new k8s.Watch(config)
      .watch(path, {}, (type, seen) => { if (type !== "DELETED" && isRolledOut(seen, image)) done(); }, done)
      .then((controller) => { stop = () => controller.abort(); }, reject);
  }).finally(() => stop());
}

async function patch(image) {
  const change = { spec: { template: { spec: { containers: [{ name: "shop", image }] } } } };
  const options = k8s.setHeaderOptions("Content-Type", k8s.PatchStrategy.StrategicMergePatch);
  await apps.patchNamespacedDeployment({ name, namespace, body: change }, options);
}

async function run(pod) {
  const output = new PassThrough();
  let said = "";
  output.on("data", (piece) => { said += piece; });
  const command = ["/bin/sh", "-c", "echo heard"];
  await new Promise((resolve, reject) => {
    new k8s.Exec(config)
      .exec(namespace, pod, "shop", command, output, null, null, false, resolve)
      .catch(reject);
  });
  return said;
}

const old = body.spec.template.spec.containers[0].image;
await apps.createNamespacedDeployment({ namespace, body });
await rolledOut(old);
await patch("storefront:0.0.2");
await rolledOut("storefront:0.0.2");
const pods = await core.listNamespacedPod({ namespace, labelSelector: "app=shop" });
const pod = pods.items[0].metadata.name;
const text = await core.readNamespacedPodLog({ namespace, name: pod, tailLines: 5 });
if (!text.trim()) throw new Error("the log is empty");
if (exec === "exec") {
  const said = await run(pod);
  if (said !== "heard\n") throw new Error(`exec said ${JSON.stringify(said)}`);
}
await patch(old);
await rolledOut(old);
await apps.deleteNamespacedDeployment({ namespace, name });
console.log("told");
process.exit(0);
