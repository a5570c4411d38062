// Plays every file that /jobs names with three.js's own loader and mixer, as a page would, and posts what it shows:
// vertex positions in world space at the times asked for, a screenshot and the normals of each, what the loader said.
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";

const said = [];
for (const kind of ["warn", "error"]) {
  const before = console[kind];
  console[kind] = (...words) => {
    said.push(words.map(String).join(" "));
    before(...words);
  };
}

function base64(array) {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = "";
  for (let start = 0; start < bytes.length; start += 32768) {
    text += String.fromCharCode(...bytes.subarray(start, start + 32768));
  }
  return btoa(text);
}

function isSeen(thing) {
  for (let part = thing; part; part = part.parent) {
    if (!part.visible) return false;
  }
  return Math.abs(thing.matrixWorld.determinant()) > 1e-30;
}

// Positions, corners and texture coordinates of every mesh that is seen, after morphing and skinning.
function shown(scene) {
  const positions = [], corners = [], uv = [];
  const point = new THREE.Vector3();
  scene.updateMatrixWorld(true);
  scene.traverse((thing) => {
    if (!thing.isMesh || !isSeen(thing)) return;
    const first = positions.length / 3;
    const geometry = thing.geometry;
    for (let index = 0; index < geometry.attributes.position.count; index++) {
      thing.getVertexPosition(index, point);
      point.applyMatrix4(thing.matrixWorld);
      positions.push(point.x, point.y, point.z);
      if (geometry.attributes.uv) {
        uv.push(geometry.attributes.uv.getX(index), 1 - geometry.attributes.uv.getY(index));
      }
    }
    const count = geometry.index ? geometry.index.count : geometry.attributes.position.count;
    for (let corner = 0; corner < count; corner++) {
      corners.push(first + (geometry.index ? geometry.index.getX(corner) : corner));
    }
  });
  return {
    positions: base64(new Float64Array(positions)),
    corners: base64(new Int32Array(corners)),
    uv: base64(new Float64Array(uv)),
  };
}

function picture(scene) {
  let found = null;
  scene.traverse((thing) => (found = found || (thing.isMesh && thing.material.map)));
  if (!found) return null;
  const canvas = new OffscreenCanvas(found.image.width, found.image.height);
  const pen = canvas.getContext("2d");
  pen.drawImage(found.image, 0, 0);
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  return { width: canvas.width, height: canvas.height, pixels: base64(new Uint8Array(pixels.buffer)) };
}

function names(scene) {
  const found = [];
  scene.traverse((thing) => found.push(thing.userData.name || thing.name));
  return found;
}

function cameraOf(gltf) {
  const camera = gltf.cameras[0];
  if (!camera) return null;
  const eye = new THREE.Vector3(), forward = new THREE.Vector3();
  camera.getWorldPosition(eye);
  camera.getWorldDirection(forward);
  return { eye: eye.toArray(), forward: forward.toArray(), fov_degrees: camera.fov };
}

// Whether a picture is still on its way, as those of a stage are when its scene is there.
function waiting(scene) {
  let found = false;
  scene.traverse((thing) => (found = found || (thing.isMesh && thing.material.map && !thing.material.map.image)));
  return found;
}

// A glTF, or a USD stage, of which three.js reads the first frame.
async function opened(url) {
  if (url.endsWith(".glb")) return new GLTFLoader().loadAsync(url);
  const { USDLoader } = await import("three/addons/loaders/USDLoader.js");
  const scene = await new USDLoader().loadAsync(url);
  for (let tries = 0; tries < 500 && waiting(scene); tries++) await new Promise((ready) => setTimeout(ready, 10));
  return { scene, animations: scene.animations, cameras: [] };
}

async function play(job, renderer, camera) {
  said.length = 0;
  const gltf = await opened(job.url);
  const stage = new THREE.Scene();
  const lamp = new THREE.DirectionalLight(0xffffff, 2);
  lamp.position.copy(camera.position);
  stage.add(gltf.scene, lamp, new THREE.AmbientLight(0xffffff, 1));
  const mixer = new THREE.AnimationMixer(gltf.scene);
  for (const clip of gltf.animations) mixer.clipAction(clip).play();
  const times = [];
  for (const seconds of job.seconds) {
    mixer.setTime(seconds);
    const frame = shown(gltf.scene);
    renderer.render(stage, camera);
    const screenshot = renderer.domElement.toDataURL("image/png");
    stage.overrideMaterial = new THREE.MeshNormalMaterial({ side: THREE.DoubleSide });
    renderer.render(stage, camera);
    stage.overrideMaterial = null;
    const normals = renderer.domElement.toDataURL("image/png");
    times.push({ ...frame, camera: cameraOf(gltf), screenshot, normals });
  }
  const facts = {
    program: "three.js r" + THREE.REVISION,
    durations: gltf.animations.map((clip) => clip.duration),
    names: names(gltf.scene),
    said: [...said],
  };
  renderer.renderLists.dispose();
  return { times, facts, texture: picture(gltf.scene) };
}

async function main() {
  const { jobs, view } = await (await fetch("/jobs")).json();
  const renderer = new THREE.WebGLRenderer({ alpha: true, antialias: false, preserveDrawingBuffer: true });
  renderer.setSize(view.width, view.height, false);
  renderer.setClearColor(0x000000, 0);
  const camera = new THREE.PerspectiveCamera(view.fov_degrees, view.width / view.height, 0.01, 100);
  camera.position.fromArray(view.eye);
  camera.lookAt(...view.look_at);
  for (const job of jobs) {
    let result;
    try {
      result = await play(job, renderer, camera);
    } catch (error) {
      result = { facts: { error: String(error && error.stack ? error.stack : error) } };
    }
    await fetch(job.answer, { method: "POST", body: JSON.stringify(result) });
  }
}

main()
  .then(() => fetch("/done", { method: "POST", body: "" }))
  .catch((error) => fetch("/done", { method: "POST", body: String(error.stack || error) }));
