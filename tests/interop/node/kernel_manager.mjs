// JupyterLab's own kernel manager for a server, once it has read which kernels run there.
import services from "@jupyterlab/services";

const { KernelManager, ServerConnection } = services;

export async function kernelManager(url, token) {
  const settings = ServerConnection.makeSettings({
    baseUrl: url,
    wsUrl: url.replace(/^http/, "ws"),
    token,
    appendToken: true,
  });
  const manager = new KernelManager({ serverSettings: settings });
  await manager.ready;
  return manager;
}
