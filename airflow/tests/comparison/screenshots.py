"""The pictures of `docs/airflow.md`: the blog post's DAG in Airflow's user interface.

podlaunch on a Unix socket ─▶ scheduler, API server, DAG processor (those of the integration tests) ─▶ a scheduled
run and one by hand ─▶ Chromium without a window ─▶ PNG

    PODLAUNCH_BIN=… PODLAUNCH_E2E_KUBECONFIG=… python screenshots.py DIRECTORY
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

# Runs by itself, without somebody who switches the DAG on.
os.environ["AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION"] = "False"

import cluster
import conftest
from kubernetes import client, config
from playwright.sync_api import Page, sync_playwright
from scheduled import Scheduled

DAG_ID = "kubernetes_sample"
NAMESPACE = "airflow-example"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


def main() -> None:
    """Takes them."""
    pictures = Path(sys.argv[1])
    pictures.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="screenshots-"))
    _namespace()
    server = conftest.Server(home)
    server.start()
    airflow = conftest.Airflow(home / "airflow", server)
    airflow.run("db", "migrate")
    airflow.add_dag("blog_post.py", conftest.example().replace('"default"', f'"{NAMESPACE}"'))
    processes = Scheduled(airflow)
    try:
        processes.start()
        processes.know({DAG_ID})
        run_id = _runs(processes)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            _take(page, processes._url, run_id, pictures)
            browser.close()
    finally:
        processes.stop()
        server.stop()
        client.CoreV1Api().delete_namespace(NAMESPACE)


def _namespace() -> None:
    config.load_kube_config(cluster.KUBECONFIG)
    client.CoreV1Api().create_namespace({"metadata": {"name": NAMESPACE}})


def _runs(processes: Scheduled) -> str:
    """Waits for the scheduled run and one by hand; the scheduled one's id."""
    run_id = processes.scheduled_run(DAG_ID)
    processes.trigger(DAG_ID, "by_hand")
    for run in (run_id, "by_hand"):
        for task in ("passing-task", "failing-task"):
            processes.finished(DAG_ID, run, task)
    return run_id


def _take(page: Page, url: str, run_id: str, pictures: Path) -> None:
    dag = f"{url}/dags/{DAG_ID}"
    page.goto(dag)
    page.get_by_text("failing-task").first.wait_for()
    page.wait_for_timeout(5000)
    page.screenshot(path=pictures / "airflow-grid.png")
    tasks = f"{dag}/runs/{quote(run_id)}/tasks"
    for task, words in (("passing-task", "hello world"), ("failing-task", "START_ERROR")):
        page.goto(f"{tasks}/{task}")
        page.get_by_text(words).first.wait_for(state="attached")
        page.wait_for_timeout(3000)
        picture = pictures / f"airflow-log-{task.removesuffix('-task')}.png"
        if task == "passing-task":
            page.screenshot(path=picture)
            continue
        page.keyboard.press("w")  # long lines are wrapped
        page.wait_for_timeout(2000)
        page.get_by_text(words).first.evaluate("line => line.scrollIntoView({block: 'start'})")
        page.wait_for_timeout(2000)
        page.screenshot(path=picture, clip={"x": 0, "y": 0, "width": 1400, "height": _above_traceback(page)})


def _above_traceback(page: Page) -> float:
    """Where the files of the traceback begin: they are those of this machine."""
    tops = [box["y"] for one in page.get_by_text('File "').all() if (box := one.bounding_box())]
    return min((top for top in tops if top > 400), default=900)


if __name__ == "__main__":
    main()
